"""The finished model's README.md: metadata that the Hugging Face hub reads, lineage, scores and limits."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from lib.core.page_templates import markdown_table, render

HYPERPARAMETERS = (
    "method",
    "rank",
    "alpha",
    "target_modules",
    "learning_rate",
    "schedule",
    "batch_size",
    "gradient_accumulation",
)
SCORED = {"text": "held-out text", "response": "held-out responses", "control": "control text"}
METRICS = {"bits_per_character": "lower is better", "bits_per_byte": "lower is better"}
METRICS |= {"characters_per_token": "higher is better"}
HUB = re.compile(r"hf:([^@/]+/[^@/]+)@")
# Scripts that one language is by far the first to be written in.
LANGUAGES = {
    "Han": "zh", "Japanese": "ja", "Korean": "ko", "Greek": "el", "Hebrew": "he", "Bengali": "bn", "Tamil": "ta",
    "Telugu": "te", "Thai": "th", "Lao": "lo", "Khmer": "km", "Myanmar": "my", "Tibetan": "bo", "Mongolian": "mn",
    "Ethiopic": "am", "Georgian": "ka", "Armenian": "hy",
}  # fmt: skip


def model_card(lineage: Mapping[str, Mapping[str, Any]], scores: Path | None, code_version: str) -> ModelCard:
    """The card, with its metadata.

    `lineage` holds the manifests of base_model, corpus, tokenizer, pretrain, own_stage_1 (a stage-1 model made
    elsewhere), sft_data and adapter (stage 2), as far as the run has these stages; base_model is always there. `scores`
    is the evaluation's table; its last row is that of the finished model. Nothing that differs between two identical
    runs belongs in here.
    """
    table = pd.read_csv(scores, sep="\t") if scores else None
    name = f"{_last_part(lineage['base_model']['facts']['uri'])} fine-tuned"
    stages = {"Stage 1, continued pretraining": "pretrain", "Stage 2, instruction tuning": "adapter"}
    pretrain = lineage.get("pretrain")
    body = render(
        "model_card.md.jinja",
        name=name,
        lineage=lineage,
        scores=_score_table(table) if table is not None else None,
        stages=[(title, lineage[stage]) for title, stage in stages.items() if stage in lineage],
        hyperparameters=HYPERPARAMETERS,
        reads_instructions=bool(pretrain and pretrain["settings"]["include_instructions"]),
        code_version=code_version,
        number="{:,}".format,
    )
    return ModelCard(f"---\n{_metadata(name, lineage, table).to_yaml()}\n---\n\n{body}")


def _metadata(name: str, lineage: Mapping[str, Mapping[str, Any]], table: pd.DataFrame | None) -> ModelCardData:
    base = lineage["base_model"]["facts"]
    corpus = lineage.get("corpus", {"settings": {}, "facts": {}})
    known = {**corpus["facts"].get("addresses", {}), **_sets(lineage)}
    return ModelCardData(
        model_name=name,
        library_name="transformers",
        pipeline_tag="text-generation",
        base_model=_hub_name(base["uri"]) or base["uri"],
        datasets=[_hub_name(address) or source for source, address in known.items()] or None,
        language=_languages(corpus["settings"]),
        eval_results=_results(table) if table is not None else None,
        **_license(base.get("license")),
    )


def _sets(lineage: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Addresses of the sets of instructions, by name."""
    facts = lineage.get("sft_data", {"facts": {}})["facts"]
    return {name: facts.get("addresses", {}).get(name, "") for name in facts.get("sets", [])}


def _hub_name(address: str) -> str | None:
    """The repository that an address names, when it lies on the Hugging Face hub."""
    found = HUB.match(address)
    return found[1] if found else None


def _last_part(address: str) -> str:
    """A name for the model at an address."""
    path = _hub_name(address) or address
    return re.sub(r"\.(gguf|safetensors)$", "", path.rstrip("/").rsplit("/", 1)[-1], flags=re.IGNORECASE)


def _languages(settings: Mapping[str, Any]) -> list[str] | None:
    """Codes of the languages that the corpus was kept to, or that its script says."""
    script = LANGUAGES.get(settings.get("target_script", ""))
    named = [code for code in settings.get("languages", []) if code != "auto"]
    return named or ([script] if script else None)


def _license(name: str | None) -> dict[str, Any]:
    """The base model's licence as the hub wants it: a short name, or `other` with a name of its own."""
    if not name:
        return {"license": "unknown"}
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        return {"license": name}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-") or "other"}


def _results(table: pd.DataFrame) -> list[EvalResult] | None:
    """The finished model's scores; every figure that was measured."""
    last = table.iloc[-1]
    found = []
    for what, dataset in SCORED.items():
        for metric, direction in METRICS.items():
            value = last.get(f"{what}_{metric}")
            if value is not None and not pd.isna(value):
                result = EvalResult(
                    task_type="text-generation",
                    dataset_type=dataset.replace(" ", "-"),
                    dataset_name=dataset,
                    metric_type=metric,
                    metric_name=f"{metric.replace('_', ' ')} ({direction})",
                    metric_value=float(value),
                )
                found.append(result)
    return found or None


def _score_table(table: pd.DataFrame) -> str:
    shown = table.dropna(axis="columns", how="all").astype(object)
    header = [column.replace("_", " ") for column in shown.columns]
    return markdown_table(header, shown.where(shown.notna(), "").values.tolist())
