"""What llama.cpp does otherwise than transformers is found and named."""

from pathlib import Path

import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from lib.core.errors import UserError
from lib.core.outputs import write_json
from lib.export.comparison import Prompt, check_tokens, compare_answers, lines_of
from lib.export.gguf_file import write_gguf
from lib.export.llama_cpp import LlamaCpp
from lib.models.loading import load_tokenizer
from tiny_model import make_tiny_model, make_tiny_tokenizer
from tokenizer_kinds import byte_level


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model")
    make_tiny_model(directory)
    write_gguf(directory, load_tokenizer(directory), directory / "model.gguf", "f16", "tiny", "")
    return directory


def test_text_that_is_read_otherwise_is_refused(model: Path) -> None:
    llama = LlamaCpp(model / "model.gguf", 128, 1)
    other = PreTrainedTokenizerFast(tokenizer_object=byte_level())
    assert check_tokens(llama, make_tiny_tokenizer(), ["the year 1998"], [Prompt(["<|im_start|>user\n"])]) == []
    with pytest.raises(UserError, match=r"reads 'the year 1998' otherwise than transformers \(\d+ tokens, not \d+\)"):
        check_tokens(llama, other, ["the year 1998"], [])


def test_an_answer_of_another_model_is_refused(model: Path, tmp_path: Path) -> None:
    make_tiny_model(tmp_path, tied=False, seed=1)
    other = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    other.get_output_embeddings().weight.data *= 50  # random weights are about as sure of one token as of another
    llama = LlamaCpp(model / "model.gguf", 128, 1)
    prompt = llama.tokens("The river rises", special=False)
    same = compare_answers(llama, AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), [prompt], 16)
    assert same.same == same.tokens > 0
    with pytest.raises(UserError, match=r"its token \d+ is \d+\.\d\d less likely"):
        compare_answers(llama, other, [prompt], 16)


def test_lines_come_from_every_source_and_from_held_out_text_first(tmp_path: Path) -> None:
    shards = {}
    for split, number in (("validation", 2), ("train", 30)):
        shards[split] = [f"{split}/{source}/0000.parquet" for source in ("first", "second")]
        for shard in shards[split]:
            path = tmp_path / shard
            path.parent.mkdir(parents=True)
            texts = [f"{shard} line {n}\n\n  \nand another {n}" for n in range(number)]
            pl.DataFrame({"id": texts, "text": texts}).write_parquet(path)
    write_json(tmp_path / "manifest.json", {"facts": shards})

    found = lines_of(tmp_path / "manifest.json", 20)
    assert len(found) == 20
    assert all("validation" in line for line in found[:8:2])
    for source in ("first", "second"):
        assert sum(f"train/{source}" in line for line in found) == 3
    assert len(lines_of(tmp_path / "manifest.json", 1_000)) == 128


def test_a_damaged_file_is_refused_with_its_name(model: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.gguf").write_bytes((model / "model.gguf").read_bytes()[:5000])
    with pytest.raises(UserError, match=r"torn\.gguf: llama\.cpp refuses this file"):
        LlamaCpp(tmp_path / "torn.gguf", 128, 1)
