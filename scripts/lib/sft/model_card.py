"""The finished model's README.md: what it is, what it was made from, and how well it does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

HYPERPARAMETERS = (
    "rank",
    "alpha",
    "target_modules",
    "learning_rate",
    "schedule",
    "batch_size",
    "gradient_accumulation",
)


def model_card(lineage: Mapping[str, Mapping[str, Any]], scores: Path) -> str:
    """The card's Markdown.

    `lineage` holds the manifests of base_model, corpus, tokenizer, pretrain, sft_data and adapter (stage 2);
    `scores` is the evaluation's table.
    """
    base, tokens = lineage["base_model"], lineage["tokenizer"]["counts"]
    licenses = lineage["corpus"]["facts"]["licenses"]
    return "\n".join(
        [
            "---",
            "library_name: transformers",
            "pipeline_tag: text-generation",
            "---",
            "",
            "# Fine-tuned chat model",
            "",
            "Made by a pipeline of four steps: vocabulary extension, LoRA continued pretraining, LoRA instruction",
            "tuning, merge. The directory stands alone: it loads with `transformers` and nothing else.",
            "",
            "```python",
            "from transformers import pipeline",
            "",
            'chat = pipeline("text-generation", "results/sft_model")',
            'chat([{"role": "user", "content": "…"}], max_new_tokens=100)',
            "```",
            "",
            "## Scores",
            "",
            "Bits per character on held-out text and held-out responses; lower is better.",
            "",
            _table(pd.read_csv(scores, sep="\t", dtype=str, keep_default_na=False)),
            "",
            "## Lineage",
            "",
            f"- Base model: `{base['facts']['uri']}` ({base['counts']['parameters']:,} parameters, "
            f"licence: {base['facts'].get('license') or 'not stated'})",
            "- Corpus: " + "; ".join(f"{name} ({text or 'licence not stated'})" for name, text in licenses.items()),
            f"- Vocabulary: {tokens['base_tokens']:,} tokens of the base and {tokens['new_tokens']:,} new ones; "
            f"{tokens['characters_per_token_base']} → {tokens['characters_per_token_extended']} characters per "
            "token on held-out text",
            _stage("Stage 1, continued pretraining", lineage["pretrain"]),
            _stage("Stage 2, instruction tuning", lineage["adapter"]),
            f"- Instructions: {', '.join(lineage['sft_data']['facts']['sets'])} "
            f"({lineage['sft_data']['counts']['train']:,} examples to train on, "
            f"{lineage['sft_data']['counts']['validation']:,} held out)"
            + ("; stage 1 read them, too" if lineage["pretrain"]["settings"]["include_instructions"] else ""),
            "",
            "`manifest.json` holds the checksums of all of these.",
            "",
            "## Limits",
            "",
            "The answers are as good as the base model, the text and the instructions above make them. The scores say",
            "how well held-out text is predicted, not whether an answer is true or harmless: check before use.",
            "",
        ]
    )


def _stage(title: str, manifest: Mapping[str, Any]) -> str:
    counts, settings = manifest["counts"], manifest["settings"]
    chosen = ", ".join(f"{name} {settings[name]}" for name in HYPERPARAMETERS)
    return (
        f"- {title}: {counts['steps']:,} steps, best at step {counts['best_step']:,}; "
        f"{counts['trainable_parameters']:,} of {counts['all_parameters']:,} parameters trained in "
        f"{manifest['facts']['precision']}; {chosen}; seed {manifest['seed']}"
    )


def _table(frame: pd.DataFrame) -> str:
    rows = [list(frame.columns), ["---"] * len(frame.columns), *frame.values.tolist()]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows)
