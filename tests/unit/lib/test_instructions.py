"""Instruction records: read strictly, rendered through the chat template, split by prompt."""

import json
from pathlib import Path

import pytest

from lib.errors import UserError
from lib.instructions import Instruction, held_out, read_instructions, render
from lib.models import load_tokenizer
from tiny_model import make_tiny_model

GOOD = {"instruction": "问", "input": "", "output": "答"}


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_json_list_and_lines_give_the_same(tmp_path: Path) -> None:
    records = [GOOD, {"instruction": "a", "output": "b", "category": "c"}]
    as_list = write(tmp_path / "a.json", json.dumps(records))
    as_lines = write(tmp_path / "a.jsonl", *map(json.dumps, records), "")
    assert list(read_instructions(as_list)) == list(read_instructions(as_lines))
    assert list(read_instructions(as_lines))[1] == Instruction("a", "", "b", "c")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"instruction": "a", ', r"bad\.jsonl, line 2: broken JSON"),
        ('{"instruction": "a", "response": "b"}', r"line 2: no 'output'; the record has instruction, response"),
        ('{"instruction": "a", "output": " "}', r"line 2: output is empty"),
        ('{"instruction": ["a"], "output": "b"}', r"line 2: instruction must be text"),
        ('["a"]', r"line 2: expected an object"),
    ],
)
def test_bad_record_names_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "bad.jsonl", json.dumps(GOOD), line)
    with pytest.raises(UserError, match=message):
        list(read_instructions(path))


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        list(read_instructions(tmp_path / "none.jsonl"))
    with pytest.raises(UserError, match=r"end in \.json or \.jsonl"):
        list(read_instructions(write(tmp_path / "a.txt", "")))
    with pytest.raises(UserError, match="expected a JSON list"):
        list(read_instructions(write(tmp_path / "a.json", "{}")))
    (tmp_path / "b.jsonl").write_bytes(b'{"instruction": "\xff"}')
    with pytest.raises(UserError, match=r"b\.jsonl, line 1: not UTF-8"):
        list(read_instructions(tmp_path / "b.jsonl"))


def test_rendering_ends_with_the_end_token(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    example = render(Instruction("润色", "原文", "答案"), tokenizer)
    assert example.prompt.endswith("<|im_start|>assistant\n")
    assert "润色\n\n原文" in example.prompt
    assert example.response == "答案<|im_end|>"


def test_split_depends_on_prompt_and_seed_alone() -> None:
    chosen = [held_out(f"prompt {i}", 0.1, 1) for i in range(2000)]
    assert 140 < sum(chosen) < 260
    assert chosen == [held_out(f"prompt {i}", 0.1, 1) for i in range(2000)]
    assert chosen != [held_out(f"prompt {i}", 0.1, 2) for i in range(2000)]
