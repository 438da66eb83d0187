"""The pretrain_data program: every document's tokens are in the blocks, once."""

import sys
from pathlib import Path

import polars as pl
import pretrain_data as program
import pytest

from lib.arrow import read_tokens
from lib.manifest import read_json, write_json
from lib.models import document_separator, load_tokenizer
from tiny_model import make_tiny_model

TEXTS = {"train": ["话说天下大势，分久必合。", "The end. " * 30], "validation": ["合久必分。"]}


def test_blocks_hold_the_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tiny_model(tmp_path / "tokenizer")
    write_json(tmp_path / "tokenizer" / "manifest.json", {})
    for split, texts in TEXTS.items():
        (tmp_path / "corpus" / split / "novel").mkdir(parents=True)
        frame = pl.DataFrame({"id": [str(number) for number in range(len(texts))], "text": texts})
        frame.write_parquet(tmp_path / "corpus" / split / "novel" / "0000.parquet")
    shards = {split: [f"{split}/novel/0000.parquet"] for split in TEXTS}
    write_json(tmp_path / "corpus" / "manifest.json", {"facts": shards})
    output = tmp_path / "data" / "manifest.json"
    arguments = {
        "--settings": '{"block_size": 16}',
        "--corpus": tmp_path / "corpus" / "manifest.json",
        "--tokenizer": tmp_path / "tokenizer" / "manifest.json",
        "--output": output,
    }
    monkeypatch.setattr(sys, "argv", ["pretrain_data.py", *(str(part) for pair in arguments.items() for part in pair)])
    program.main()

    tokenizer = load_tokenizer(tmp_path / "tokenizer")
    separator = document_separator(tokenizer)
    counts = read_json(output)["counts"]
    for split, texts in TEXTS.items():
        blocks = read_tokens(output.parent / f"{split}.arrow")["input_ids"]
        expected = [token for text in texts for token in [separator, *tokenizer.encode(text, add_special_tokens=False)]]
        assert [token for block in blocks for token in block] == expected
        assert counts[f"{split}_blocks"] == len(blocks)
        assert counts[f"{split}_tokens"] == len(expected)
