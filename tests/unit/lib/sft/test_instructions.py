"""Instruction sets: read strictly, whatever files they consist of, and split by prompt."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from lib.core.errors import UserError
from lib.sft.instructions import held_out, opened_sets, read_instructions

GOOD = {"instruction": "问", "output": "答"}


def test_bad_record_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(f'{json.dumps(GOOD)}\n{{"instruction": "a"}}\n')
    with pytest.raises(UserError, match=r"bad\.jsonl, line 2: no 'output'; found: instruction"):
        list(read_instructions([path]))


def test_a_set_may_be_a_directory(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "README.md").write_text("Two files.")
    for name in ("b.jsonl", "a.json"):
        (tmp_path / "set" / name).write_text(json.dumps({**GOOD, "category": name}))
    with ExitStack() as files:
        (one,) = opened_sets([{"name": "demo", "uri": str(tmp_path / "set")}], tmp_path / "downloads", files)
        assert [conversation.category for _, conversation in one.conversations()] == ["a.json", "b.jsonl"]
    with pytest.raises(UserError, match="holds no instruction file"):
        list(read_instructions([tmp_path / "set" / "README.md"] * 2))


def test_split_depends_on_prompt_and_seed_alone() -> None:
    chosen = [held_out(f"prompt {i}", 0.1, 1) for i in range(2000)]
    assert 140 < sum(chosen) < 260
    assert chosen == [held_out(f"prompt {i}", 0.1, 1) for i in range(2000)]
    assert chosen != [held_out(f"prompt {i}", 0.1, 2) for i in range(2000)]
