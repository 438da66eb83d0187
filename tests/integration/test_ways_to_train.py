"""Other ways to train than the default one, through the whole pipeline, each seen in what it publishes."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from lib.core.outputs import sha256_file
from lib.tokens.token_files import read_tokens
from workspace import SETTINGS, Workspace

STEPS = 12
WAYS: dict[str, dict[str, dict[str, Any]]] = {
    "whole model": {
        "pretrain": {"include_instructions": True},
        "sft": {"method": "full", "packing": True, "max_length": 256, "template": "article", "max_steps": STEPS},
    },
    "one adapter": {
        # The rank is stage 1's.
        "sft": {"continue_adapter": True, "rank": None, "template": "chatml", "max_steps": STEPS},
    },
}


@pytest.fixture(scope="module")
def made(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The results of each way. They are made at the same time: every single one mostly waits for one job."""

    def make(way: str) -> Path:
        workspace = finished.copy(tmp_path_factory.mktemp("way") / "project")
        workspace.configure(**WAYS[way])
        workspace.make("results/sft_model")
        return workspace.root / "results"

    with ThreadPoolExecutor() as threads:
        return dict(zip(WAYS, threads.map(make, WAYS), strict=True))


@pytest.fixture(scope="module")
def whole(made: dict[str, Path]) -> Path:
    return made["whole model"]


@pytest.fixture(scope="module")
def continued(made: dict[str, Path]) -> Path:
    return made["one adapter"]


def manifest(directory: Path) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    return described


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


def validation_losses(results: Path) -> pd.Series:
    return pd.read_csv(results / "sft_lora" / "trainer_log.tsv", sep="\t")["eval_loss"].dropna()


def examples(results: Path, split: str) -> list[dict[str, Any]]:
    lines = (results / "sft_data" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_every_weight_is_trained_and_published(whole: Path) -> None:
    before, trained, published = (weights(whole / name) for name in ("pretrain_model", "sft_lora", "sft_model"))
    assert not (whole / "sft_lora" / "adapter_config.json").exists()
    counts = manifest(whole / "sft_lora")["counts"]
    assert counts["trainable_parameters"] == counts["all_parameters"]
    assert trained.keys() == published.keys() == before.keys()
    for name, weight in published.items():
        assert torch.equal(weight, trained[name]), name
        assert not torch.equal(weight, before[name]), name
    losses = validation_losses(whole)
    assert losses.iloc[-1] < losses.iloc[0]


def test_several_examples_share_a_row(whole: Path) -> None:
    counts = manifest(whole / "sft_data")["counts"]
    rows = read_tokens(whole / "sft_data" / "train.arrow")
    assert len(rows) == counts["train_rows"] < counts["train"] / 2
    starts = sum(position == 0 for row in rows for position in row["position_ids"])
    assert starts == counts["train"]


def test_stage_one_reads_the_instructions_but_none_that_are_held_out(whole: Path) -> None:
    rows = read_tokens(whole / "pretrain_data" / "train.arrow")["input_ids"]
    text = AutoTokenizer.from_pretrained(whole / "sft_data" / "tokenizer").decode(list(chain.from_iterable(rows)))
    questions = {
        split: [one["spans"][0]["text"] for one in examples(whole, split)] for split in ("train", "validation")
    }
    assert all(question in text for question in questions["train"])
    assert not any(question in text for question in questions["validation"])
    for directory, name in (("pretrain_data", "sft_data"), ("pretrain_lora", "data")):
        made_from = whole / ("sft_data" if name == "sft_data" else "pretrain_data") / "manifest.json"
        assert manifest(whole / directory)["inputs"][name] == sha256_file(made_from)


def test_the_adapter_of_stage_one_goes_on(continued: Path) -> None:
    first, second = continued / "pretrain_lora", continued / "sft_lora"
    inputs = manifest(second)["inputs"]
    assert inputs["adapter"] == sha256_file(first / "manifest.json")
    assert inputs["model"] == sha256_file(continued / "extended_model" / "manifest.json")
    before, after = (load_file(directory / "adapter_model.safetensors") for directory in (first, second))
    assert before.keys() == after.keys()
    for name, weight in after.items():
        assert not torch.equal(weight, before[name]), name
        if "lora_A" in name:  # which would be drawn by lot if it began anew, and then be farther away
            assert (weight - before[name]).norm() < before[name].norm(), name
    losses = validation_losses(continued)
    assert losses.iloc[-1] < losses.iloc[0]


def test_the_adapter_that_went_on_is_merged_once_into_the_model_that_it_was_made_for(continued: Path) -> None:
    adapter = load_file(continued / "sft_lora" / "adapter_model.safetensors")
    config = json.loads((continued / "sft_lora" / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["r"] == SETTINGS["pretrain"]["rank"]
    layer = "model.layers.1.self_attn.q_proj"
    a, b = (adapter[f"base_model.model.{layer}.lora_{part}.weight"] for part in "AB")
    base, published = (weights(continued / name)[f"{layer}.weight"] for name in ("extended_model", "sft_model"))
    torch.testing.assert_close(published, base + b @ a * config["lora_alpha"] / config["r"])


@pytest.mark.parametrize(
    ("way", "prompt"),
    [
        ("whole model", "指令：谁住在山里？\n输出："),
        ("one adapter", "<|im_start|>user\n谁住在山里？<|im_end|>\n<|im_start|>assistant\n"),
    ],
)
def test_the_published_template_is_the_one_trained_on(made: dict[str, Path], way: str, prompt: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(made[way] / "sft_model")
    end = json.loads((made[way] / "sft_model" / "generation_config.json").read_text(encoding="utf-8"))["eos_token_id"]
    assert tokenizer.eos_token_id in (end if isinstance(end, list) else [end])

    def rendered(question: str) -> str:
        messages = [{"role": "user", "content": question}]
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    assert rendered("谁住在山里？") == prompt
    for one in examples(made[way], "train"):
        asked, answered = one["spans"]
        question = (
            asked["text"].removeprefix(prompt[: prompt.index("谁")]).removesuffix(prompt[prompt.index("？") + 1 :])
        )
        assert rendered(question) == asked["text"]
        assert answered["text"].endswith(tokenizer.eos_token)
