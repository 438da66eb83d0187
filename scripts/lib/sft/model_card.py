"""The finished model's README.md: metadata that the Hugging Face hub reads, lineage, scores and limits."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from lib.core.page_templates import Markdown, markdown_table, render
from lib.settings.evaluation import figure_of

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
METRIC_TYPES = {
    "answer_chrf": "chrf",
    "answer_rouge_l": "rouge",
    "answer_exact_match": "exact_match",
    "choice_letter_accuracy": "accuracy",
    "choice_text_accuracy": "accuracy",
    "cloze_accuracy": "accuracy",
}
"""What the hub calls the metric of a figure."""
BOUNDS = ("", "_low", "_high")
HUB = re.compile(r"hf:([^@/]+/[^@/]+)@")
# Scripts that one language is by far the first to be written in.
LANGUAGES = {
    "Han": "zh", "Japanese": "ja", "Korean": "ko", "Greek": "el", "Hebrew": "he", "Bengali": "bn", "Tamil": "ta",
    "Telugu": "te", "Thai": "th", "Lao": "lo", "Khmer": "km", "Myanmar": "my", "Tibetan": "bo", "Mongolian": "mn",
    "Ethiopic": "am", "Georgian": "ka", "Armenian": "hy",
}  # fmt: skip


def model_card(
    lineage: Mapping[str, Mapping[str, Any]],
    scores: Path | None,
    release: str,
    differences: Path | None = None,
    notes: Sequence[str] = (),
) -> ModelCard:
    """The card, with its metadata.

    `lineage` holds the manifests of base_model, corpus, tokenizer, pretrain, own_stage_1 (a stage-1 model made
    elsewhere), sft_data and adapter (stage 2), as far as the run has these stages; base_model is always there. `scores`
    is the evaluation's table; its last row is that of the finished model. `differences` is its table of differences
    between models, `notes` are sentences on them. `release` is the version of the code. Nothing
    that differs between two identical runs belongs in here.
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
        changes=_change_table(pd.read_csv(differences, sep="\t")) if differences else None,
        notes=notes,
        stages=[(title, lineage[stage]) for title, stage in stages.items() if stage in lineage],
        hyperparameters=HYPERPARAMETERS,
        reads_instructions=bool(pretrain and pretrain["settings"]["include_instructions"]),
        release=release,
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
    return [*found, *_other_results(last)] or None


def _other_results(scores: "pd.Series[Any]") -> Iterator[EvalResult]:
    """What was measured beside bits per character: answers, questions, tasks."""
    for name, value in scores.items():
        figure = figure_of(str(name))
        if figure is None or figure.is_relative or pd.isna(value):
            continue
        dataset, _, metric = figure.title.partition(": ")
        kind = METRIC_TYPES.get(str(name), figure.unit if figure.unit in ("acc", "acc_norm") else str(name))
        yield EvalResult(
            task_type="text-generation",
            dataset_type=re.sub(r"\W+", "-", dataset),
            dataset_name=figure.title if dataset == "lm-eval" else dataset,
            metric_type=kind,
            metric_name=f"{metric or figure.unit} ({figure.better} is better)",
            metric_value=float(value),
        )


def _change_table(differences: pd.DataFrame) -> Markdown | None:
    """The finished model's changes against the base model, with intervals and what they say."""
    rows = []
    for _, row in differences[differences["against"] == "base"].iterrows():
        figure = figure_of(row["figure"])
        if row["model"] != differences["model"].iloc[-1] or figure is None:
            continue
        value, low, high = (row[f"{'percent' if figure.is_relative else 'difference'}{end}"] for end in BOUNDS)
        digits, unit = (1, " %") if figure.is_relative else (3, "")
        bounds = "" if pd.isna(low) else f"{low:+.{digits}f} to {high:+.{digits}f}{unit}"
        rows.append([figure.title, figure.unit, f"{value:+.{digits}f}{unit}", bounds, row["verdict"]])
    return markdown_table(["measured on", "unit", "change", "95 % interval", "verdict"], rows) if rows else None


def _score_table(table: pd.DataFrame) -> str:
    shown = table.dropna(axis="columns", how="all").astype(object)
    header = [column.replace("_", " ") for column in shown.columns]
    return markdown_table(header, shown.where(shown.notna(), "").values.tolist())
