"""Which stages a run has."""

from typing import Any

import pytest

from lib.core.errors import UserError
from lib.settings.base import validate
from lib.settings.pipeline import PipelineSettings
from lib.workflow.stages import budget_of_new_tokens, evaluated, finished, manifests, start_of_stage_2

OFF = {"enabled": False}
STAGE_2_ALONE = {"corpus": OFF, "pretrain": OFF, "tokenizer": {"new_tokens": 0}}


def settings(**sections: Any) -> PipelineSettings:
    return validate(PipelineSettings, {"base_model": {"uri": "model"}, **sections})


def lacks(run: PipelineSettings) -> set[str]:
    return {folder for folder, paths in manifests(run).items() if not paths}


def manifest(folder: str) -> str:
    return f"results/{folder}/manifest.json"


def test_a_run_has_every_stage_unless_told_otherwise() -> None:
    run = settings()
    assert lacks(run) == set()
    assert start_of_stage_2(run) == (manifest("pretrain_model"), [])
    assert list(evaluated(run)) == ["base", "extended", "pretrained", "finetuned"]
    assert finished(run) == ["results/sft_model"]


def test_an_adapter_goes_on_from_the_model_that_it_was_trained_on() -> None:
    run = settings(sft={"continue_adapter": True})
    assert start_of_stage_2(run) == (manifest("extended_model"), [manifest("pretrain_lora")])
    assert evaluated(run)["finetuned"] == [manifest("extended_model"), manifest("sft_lora")]


def test_stage_2_alone_starts_from_the_extended_model() -> None:
    run = settings(**STAGE_2_ALONE)
    assert lacks(run) == {"corpus", "pretrain_lora", "pretrain_model"}
    assert start_of_stage_2(run) == (manifest("extended_model"), [])
    assert list(evaluated(run)) == ["base", "finetuned"]


def test_stage_1_alone_ends_with_its_model_and_scores() -> None:
    run = settings(sft=OFF)
    assert lacks(run) == {"sft_data", "sft_lora"}
    assert list(evaluated(run)) == ["base", "extended", "pretrained"]
    assert finished(run) == [manifest("pretrain_model"), "results/evaluation/scores.tsv"]


def test_a_stage_1_model_of_ones_own_has_a_tokenizer_of_its_own() -> None:
    run = settings(corpus=OFF, pretrain={"uri": "mine"})
    assert lacks(run) == {"corpus", "tokenizer", "extended_model", "pretrain_lora"}
    assert list(evaluated(run)) == ["base", "pretrained", "finetuned"]


@pytest.mark.parametrize("tokenizer", [{"new_tokens": 0, "words": "terms.txt"}, {"uri": "mine"}])
def test_words_and_a_tokenizer_of_ones_own_add_tokens(tokenizer: dict[str, Any]) -> None:
    assert "extended" in evaluated(settings(corpus=OFF, pretrain=OFF, tokenizer=tokenizer))


@pytest.mark.parametrize(
    ("sections", "error"),
    [
        ({"corpus": OFF}, "set pretrain.enabled: false"),
        ({"corpus": OFF, "pretrain": OFF}, "set tokenizer.new_tokens: 0"),
        ({"pretrain": {"uri": "mine", "enabled": False}}, "remove one of the two"),
        ({"pretrain": {"include_instructions": True}, "sft": OFF}, "set sft.enabled: true"),
        ({"sft": {"continue_adapter": True}, "pretrain": OFF}, "stage 1 is not trained"),
        ({"pretrain": {"max_steps": 0}}, "pretrain.max_steps is 0: nothing would be trained"),
        ({"sft": {"epochs": 0}}, "sft.epochs is 0: nothing would be trained"),
        ({"tokenizer": {"new_tokens": "auto"}, "pretrain": {"minutes": 5}}, "set pretrain.max_steps or epochs instead"),
    ],
)
def test_a_stage_without_what_it_needs_names_the_key_to_set(sections: dict[str, Any], error: str) -> None:
    with pytest.raises(UserError, match=error.replace(".", r"\.")):
        settings(**sections)


def budget(**sections: Any) -> dict[str, float]:
    return budget_of_new_tokens(settings(**{"tokenizer": {"new_tokens": "auto", "fit_characters": 500}} | sections))


def test_new_tokens_are_trained_on_what_all_processes_read_in_stage_1() -> None:
    stage = {"max_steps": 130, "batch_size": 2, "gradient_accumulation": 3, "block_size": 256}
    assert budget(pretrain=stage) == {"tokens": 130 * 2 * 3 * 256}
    assert budget(pretrain=stage, processes=2, nodes=4) == {"tokens": 8 * 130 * 2 * 3 * 256}
    assert budget(pretrain=stage | {"max_steps": None, "epochs": 1.5}) == {"passes": 1.5}


@pytest.mark.parametrize("stage", [OFF, {"embeddings": "none"}])
def test_new_tokens_that_stage_1_does_not_train_have_the_text_of_the_fit(stage: dict[str, Any]) -> None:
    assert budget(pretrain=stage) == {"characters": 500}


def test_a_given_number_of_new_tokens_needs_no_budget() -> None:
    assert budget(tokenizer={"new_tokens": 2_000}) == {}
