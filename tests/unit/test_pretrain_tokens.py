"""The pretrain_tokens program: every document's tokens, with its number."""

import sys
from pathlib import Path

import polars as pl
import pretrain_tokens as program
import pytest

from lib.models.loading import load_tokenizer
from lib.tokens.document_shards import Documents
from tiny_model import TEXT, make_tiny_model


def test_documents_are_encoded_as_transformers_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tiny_model(tmp_path)
    shards = {"train": list(TEXT[:8]), "validation": [TEXT[8], ""]}
    arguments = ["--tokenizer", str(tmp_path / "manifest.json")]
    for split, texts in shards.items():
        ids = [f"novel:{4 * number:08d}" for number in range(len(texts))]
        pl.DataFrame({"id": ids, "text": texts}).write_parquet(tmp_path / f"{split}.parquet")
        arguments += [f"--{split}", str(tmp_path / f"{split}.parquet")]
        arguments += [f"--{split}-output", str(tmp_path / "tokens" / f"{split}.arrow")]
    monkeypatch.setattr(sys, "argv", ["pretrain_tokens.py", *arguments])
    program.main()

    tokenizer = load_tokenizer(tmp_path)
    for split, texts in shards.items():
        found = [document.tolist() for document in Documents([tmp_path / "tokens" / f"{split}.arrow"])]
        assert found == [tokenizer.encode(text, add_special_tokens=False) for text in texts]


def test_numbers_of_documents_and_their_copies() -> None:
    assert program.number_of("a:00000012") == program.number_of("a:00000012#2") == 12
    assert program.number_of("a-1:123456789") == 123456789
