"""The sft_data program: records become tokens with labels on the response alone, and none is lost."""

import json
from pathlib import Path

import pytest
from sft_data import write_examples

from lib.arrow import IGNORED_LABEL, read_tokens
from lib.errors import UserError
from lib.models import load_tokenizer
from lib.settings.sft import InstructionSettings
from tiny_model import make_tiny_model

RECORDS = [{"instruction": f"问题{number}", "input": "", "output": f"回答{number}。"} for number in range(40)]
EXTRA = [RECORDS[0], {"instruction": "长", "output": "字" * 500}]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    make_tiny_model(tmp_path / "tokenizer")
    return tmp_path / "tokenizer"


def write(path: Path, records: list[dict[str, str]]) -> list[dict[str, str]]:
    """Write a set to disk; returns it as the program's --sets takes it."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return [{"name": "demo", "uri": str(path), "sha256": ""}]


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_record_is_somewhere(tmp_path: Path, tokenizer: Path) -> None:
    settings = InstructionSettings(max_length=256, validation_fraction=0.3)
    sets = write(tmp_path / "set.jsonl", RECORDS + EXTRA)
    counts = write_examples(sets, tmp_path / "downloads", tokenizer, settings, 1, tmp_path)
    assert counts["train"] + counts["validation"] == len(RECORDS)
    assert counts["skipped_too_long"] == counts["skipped_duplicate"] == 1
    skipped = lines(tmp_path / "skipped.jsonl")
    assert [record["reason"].split(":")[0] for record in skipped] == ["duplicate", "too long"]
    for split in ("train", "validation"):
        assert len(read_tokens(tmp_path / f"{split}.arrow")) == len(lines(tmp_path / f"{split}.jsonl")) == counts[split]


def test_labels_cover_the_response_and_its_end(tmp_path: Path, tokenizer: Path) -> None:
    sets = write(tmp_path / "set.jsonl", RECORDS)
    write_examples(sets, tmp_path / "downloads", tokenizer, InstructionSettings(), 1, tmp_path)
    decoder = load_tokenizer(tokenizer)
    for row, record in zip(read_tokens(tmp_path / "train.arrow"), lines(tmp_path / "train.jsonl"), strict=True):
        learned = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label >= 0]
        assert decoder.decode(learned) == record["response"]
        assert learned[-1] == decoder.eos_token_id
        assert [label for label in row["labels"] if label != IGNORED_LABEL] == learned
        assert decoder.decode(row["input_ids"]) == record["prompt"] + record["response"]


def test_broken_record_names_its_line(tmp_path: Path, tokenizer: Path) -> None:
    sets = write(tmp_path / "set.jsonl", RECORDS)
    with (tmp_path / "set.jsonl").open("a") as file:
        file.write('{"instruction": \n')
    with pytest.raises(UserError, match=r"set\.jsonl, line 41: broken JSON"):
        write_examples(sets, tmp_path / "downloads", tokenizer, InstructionSettings(), 1, tmp_path)
