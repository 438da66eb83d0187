"""Which stages a run has, by its settings, and what each leaves for the next."""

from lib.settings.pipeline import PipelineSettings

Manifests = dict[str, list[str]]
"""Manifest of each folder of results/, in a list; an empty one for what the run does not make."""


def manifests(settings: PipelineSettings) -> Manifests:
    """What the run makes on the way to its models."""
    extends = settings.pretrain.uri is None
    made = {
        "base_model": True,
        "corpus": settings.corpus.enabled,
        "tokenizer": extends,
        "extended_model": extends,
        "pretrain_lora": settings.trains_stage_1,
        "pretrain_model": settings.pretrain.enabled,
        "sft_data": settings.sft.enabled,
        "sft_lora": settings.sft.enabled,
    }
    return {folder: [f"results/{folder}/manifest.json"] if is_made else [] for folder, is_made in made.items()}


def start_of_stage_2(settings: PipelineSettings) -> tuple[str, list[str]]:
    """The model that stage 2 trains, or would, and the adapter that goes on, if one does."""
    made = manifests(settings)
    if settings.sft.continue_adapter:
        return made["extended_model"][0], made["pretrain_lora"]
    return (made["pretrain_model"] or made["extended_model"])[0], []


def budget_of_new_tokens(settings: PipelineSettings) -> dict[str, float]:
    """How much text their rows are trained on, where that decides their number: in `tokens`, or `passes` over all.

    Without a stage 1 that trains them, it is the `characters` that they are fitted on.
    """
    stage = settings.pretrain
    if settings.tokenizer.new_tokens != "auto":
        return {}
    if not settings.trains_stage_1 or (stage.method == "lora" and stage.embeddings == "none"):
        return {"characters": settings.tokenizer.fit_characters}
    if stage.max_steps is None:
        return {"passes": stage.epochs}
    sequences = stage.batch_size * stage.gradient_accumulation * settings.processes_per_node * settings.nodes
    return {"tokens": stage.max_steps * sequences * stage.block_size}


def evaluated(settings: PipelineSettings) -> Manifests:
    """The models that are scored, by name: each with the adapter that is merged into it, if there is one."""
    made = manifests(settings)
    model, _ = start_of_stage_2(settings)
    models = {
        "base": made["base_model"],
        "extended": made["extended_model"] if settings.tokenizer.adds_tokens else [],
        "pretrained": made["pretrain_model"],
        "finetuned": [model, *made["sft_lora"]] if settings.sft.enabled else [],
    }
    return {name: paths for name, paths in models.items() if paths}


def finished(settings: PipelineSettings) -> list[str]:
    """The model of the last stage, and the scores of all."""
    if settings.sft.enabled:
        return ["results/sft_model"]  # with a card that quotes the scores
    return [start_of_stage_2(settings)[0], "results/evaluation/scores.tsv"]


def required(settings: PipelineSettings) -> list[str]:
    """What is there only when all figures keep to their bounds."""
    return ["results/evaluation/require.tsv"] if settings.evaluation.require else []


def measured_by_lm_eval(settings: PipelineSettings) -> list[str]:
    """The models that tasks of lm-eval measure, by name: all whose rows are trained."""
    return [name for name in evaluated(settings) if name != "extended"] if settings.evaluation.lm_eval else []
