"""Families that no settings file is for: every program that touches a model, on a small random one of each."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import base_model
import evaluate
import extended_model
import polars as pl
import pretrain
import pretrain_data
import pretrain_model
import pretrain_tokens
import pytest
import sft
import sft_data
import tokenizer as tokenizer_program
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from lib.core.outputs import read_json, write_json
from lib.tokens.token_files import read_tokens
from tiny_families import OTHERS
from workspace import documents, instructions, write_jsonl

TRAINING = {"rank": 4, "batch_size": 4, "max_steps": 6, "eval_steps": 3, "save_steps": 3, "learning_rate": 0.005}
AROUND = {
    "gemma3": (["<bos>"], ["<eos>"]),
    "qwen3_moe": ([], ["<|endoftext|>"]),
    "qwen3_5": ([], ["<|endoftext|>"]),
    "glm4": (["[gMASK]", "<sop>"], ["<|endoftext|>"]),
    "phi4": ([], ["<|endoftext|>"]),
    "internlm": (["<s>"], ["</s>"]),
}


@pytest.mark.parametrize("family", OTHERS)
def test_a_model_of_the_family_is_adapted(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "results"

    def call(program: ModuleType, output: str, settings: Mapping[str, Any] | None = None, **flags: object) -> Path:
        arguments = ["--settings", json.dumps(settings)] if settings is not None else []
        for name, value in (({"output": results / output} if output else {}) | flags).items():
            values = value if isinstance(value, list) else [value]
            arguments += [f"--{name.replace('_', '-')}", *map(str, values)]
        monkeypatch.setattr(sys, "argv", [f"{program.__name__}.py", *arguments])
        program.main()
        return results / output

    OTHERS[family](tmp_path / "model")
    corpus = write_corpus(results)
    base = call(base_model, "base_model/manifest.json", {"uri": str(tmp_path / "model")}, downloads=tmp_path)
    tokenizer = call(tokenizer_program, "tokenizer/manifest.json", {"new_tokens": 20}, base_model=base, corpus=corpus)
    fit = {"fit_steps": 2, "fit_characters": 1_000}
    made_from = {"base_model": base, "tokenizer": tokenizer, "corpus": corpus}
    extended = call(extended_model, "extended_model/manifest.json", fit, seed=1, gpu=0, **made_from)
    splits = {split: results / "corpus" / split / "stories" / "0000.parquet" for split in ("train", "validation")}
    tokens = {split: results / "pretrain_tokens" / split / "stories" / "0000.arrow" for split in splits}
    flags = {f"{split}_output": path for split, path in tokens.items()}
    call(pretrain_tokens, "", tokenizer=tokenizer, **splits, **flags)
    data = call(
        pretrain_data,
        "pretrain_data/manifest.json",
        {"block_size": 64},
        seed=1,
        sources=["stories"],
        shards=1,
        tokens=results / "pretrain_tokens",
        **made_from,
    )
    run = {"seed": 1, "gpu": 0, "work": tmp_path / "work"}
    adapter = call(pretrain, "pretrain_lora/manifest.json", TRAINING, model=extended, data=data, **run)
    trained = call(pretrain_model, "pretrain_model/manifest.json", model=extended, adapter=adapter)
    sets = [{"name": "questions", "uri": str(tmp_path / "questions.jsonl"), "sha256": ""}]
    write_jsonl(tmp_path / "questions.jsonl", instructions(30))
    examples = call(
        sft_data,
        "sft_data/manifest.json",
        {"max_length": 256, "validation_fraction": 0.3},
        reading="{}",
        seed=1,
        tokenizer=tokenizer,
        sets=json.dumps(sets),
        downloads=tmp_path,
    )
    tuned = call(sft, "sft_lora/manifest.json", TRAINING, model=trained, data=examples, **run)
    scored = {"corpus": corpus, "sft_data": examples, "base_model": base, "downloads": tmp_path, "reading": "{}"}
    scoring = {"max_characters": 300, "max_instructions": 2, "max_new_tokens": 2}
    before, after = results / "base.json", results / "tuned.json"
    call(evaluate, "", scoring, name="base", model=base, scores=before, measurements=results / "base.tsv", **scored)
    scored |= {"adapter": tuned, "scores": after, "measurements": results / "tuned.tsv"}
    call(evaluate, "", scoring, name="tuned", model=trained, **scored)

    facts = read_json(base)["facts"]
    assert (facts["document_start"], facts["document_end"]) == AROUND[family]
    source, written = (AutoModelForCausalLM.from_pretrained(path) for path in (tmp_path / "model", base.parent))
    ids = torch.arange(20)[None]
    torch.testing.assert_close(written.float()(ids).logits, source.float()(ids).logits)
    bases = AutoTokenizer.from_pretrained(tmp_path / "model")
    published = AutoTokenizer.from_pretrained(trained.parent)
    first = read_tokens(data.parent / "train.arrow")[0]["input_ids"]
    opening = [*facts["document_end"], *facts["document_start"]]
    assert published.convert_ids_to_tokens(first[: len(opening)]) == opening
    for text in ("In 1998, it's 3.5 times: naïve (ok)!\n\n  Yes.", "  def f(x):\n\treturn x"):
        assert published(text).input_ids == bases(text).input_ids
    layers = load_file(adapter.parent / "adapter_model.safetensors")
    assert any(bool(weight.any()) for name, weight in layers.items() if "lora_B" in name)
    scores = [read_json(path)["text"]["overall"]["bits_per_character"] for path in (before, after)]
    assert scores[1] < scores[0]


def write_corpus(results: Path) -> Path:
    """A corpus of one source in one shard; returns its manifest."""
    texts = list(documents(40))
    shards = {"train": texts[:32], "validation": texts[32:]}
    for split, some in shards.items():
        path = results / "corpus" / split / "stories" / "0000.parquet"
        path.parent.mkdir(parents=True)
        pl.DataFrame({"id": [f"stories:{number:08d}" for number in range(len(some))], "text": some}).write_parquet(path)
    facts = {split: [f"{split}/stories/0000.parquet"] for split in shards}
    write_json(results / "corpus" / "manifest.json", {"facts": facts | {"licenses": {}}})
    return results / "corpus" / "manifest.json"
