"""The tokenizer program: from a corpus manifest to a Hugging Face tokenizer directory."""

import sys
from pathlib import Path

import polars as pl
import pytest
import tokenizer as program
from tokenizers import Tokenizer

from lib.checksums import sha256_file
from lib.errors import UserError
from lib.manifest import read_json, write_json
from lib.models import load_tokenizer
from lib.settings.tokenizer import VocabularySettings
from tiny_model import make_tiny_model

TEXT = "却说刘备、关羽、张飞三人在桃园结义，誓同生死，共图大事。" * 20


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with a base model and a corpus of two documents."""
    make_tiny_model(tmp_path / "base_model")
    write_json(tmp_path / "base_model" / "manifest.json", {})
    corpus = tmp_path / "corpus"
    shards = {split: f"{split}/novel/0000.parquet" for split in ("train", "validation")}
    for shard in shards.values():
        (corpus / shard).parent.mkdir(parents=True)
        pl.DataFrame({"id": ["novel:0"], "text": [TEXT]}).write_parquet(corpus / shard)
    write_json(corpus / "manifest.json", {"facts": {split: [shard] for split, shard in shards.items()}})
    return tmp_path


def execute(inputs: Path, monkeypatch: pytest.MonkeyPatch, settings: str) -> Path:
    output = inputs / "tokenizer" / "manifest.json"
    arguments = {
        "--settings": settings,
        "--base-model": inputs / "base_model" / "manifest.json",
        "--corpus": inputs / "corpus" / "manifest.json",
        "--output": output,
    }
    monkeypatch.setattr(sys, "argv", ["tokenizer.py", *(str(part) for pair in arguments.items() for part in pair)])
    program.main()
    return output


def test_directory_loads_as_a_hugging_face_tokenizer(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = execute(inputs, monkeypatch, '{"new_tokens": 20}')
    counts = read_json(output)["counts"]
    assert counts["new_tokens"] == 20
    assert counts["characters_per_token_extended"] > 1.4 * counts["characters_per_token_base"]
    base, extended = load_tokenizer(inputs / "base_model"), load_tokenizer(output.parent)
    assert len(extended) == len(base) + 20
    assert extended.chat_template == base.chat_template
    assert (extended.eos_token, extended.pad_token) == (base.eos_token, base.pad_token)
    ids = extended.encode(TEXT, add_special_tokens=False)
    assert extended.decode(ids) == TEXT
    assert ids == Tokenizer.from_file(str(output.parent / "tokenizer.json")).encode(TEXT).ids


def test_two_runs_are_identical(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sha256_file(execute(inputs, monkeypatch, '{"new_tokens": 20}'))
    assert sha256_file(execute(inputs, monkeypatch, '{"new_tokens": 20}')) == first


def test_no_new_tokens_passes_the_base_through(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = execute(inputs, monkeypatch, '{"new_tokens": 0}')
    for name in program.TOKENIZER_FILES:
        if (inputs / "base_model" / name).exists():
            assert sha256_file(output.parent / name) == sha256_file(inputs / "base_model" / name)


def test_text_without_a_pair_to_merge(inputs: Path) -> None:
    base = Tokenizer.from_file(str(inputs / "base_model" / "tokenizer.json"))
    with pytest.raises(UserError, match="holds no pair of tokens"):
        program.learned(base, [["plain English"]], VocabularySettings(new_tokens=10))
