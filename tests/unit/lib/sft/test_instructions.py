"""Instruction sets: whatever files they consist of, every record is a conversation or broken; split by prompt."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lib.core.errors import UserError
from lib.files.text_files import Broken
from lib.settings.corpus import ReadingLimits
from lib.sft.conversations import Conversation
from lib.sft.instructions import InstructionRecord, held_out, opened_sets

GOOD = {"instruction": "问", "output": "答"}


def records(tmp_path: Path, uri: Path, **row: Any) -> list[InstructionRecord]:
    rows = [{"name": "demo", "uri": str(uri), **row}]
    with ExitStack() as files:
        (one,) = opened_sets(rows, tmp_path / "downloads", ReadingLimits(), files)
        return list(one.records())


def test_an_encoding_that_the_sheet_names(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_bytes(json.dumps({"instruction": "槐花", "output": "柳絮"}, ensure_ascii=False).encode("gbk"))
    (record,) = records(tmp_path, path, encoding="gbk")
    assert isinstance(record.found, Conversation)
    assert list(record.found.texts()) == ["槐花", "柳絮"]
    with pytest.raises(UserError, match="instruction set demo: unknown encoding 'gbk2312'"):
        records(tmp_path, path, encoding="gbk2312")


def test_a_broken_record_has_file_line_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(f'{{"instruction": "\\ud800"}}\n{{\n\n{json.dumps(GOOD)}\n')
    missing, unreadable, good = records(tmp_path, path)
    assert isinstance(missing.found, Broken)
    assert isinstance(unreadable.found, Broken)
    assert (missing.place, missing.found.reason) == (f"{path}, line 1", "no 'output'; found: instruction")
    assert missing.found.text == '{"instruction": "\\ud800"}'
    assert (unreadable.place, unreadable.found.reason[:11]) == (f"{path}, line 2", "broken JSON")
    assert (good.id, good.place) == ("demo:00000002", f"{path}, line 4")
    assert isinstance(good.found, Conversation)


def test_bytes_that_stand_for_no_character_break_a_record(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"instruction": "a", "output": "\xff"}\n' + json.dumps(GOOD).encode())
    broken, good = records(tmp_path, path)
    assert isinstance(broken.found, Broken)
    assert broken.found.reason == "output holds U+FFFD, which stands for a character that was lost"
    assert isinstance(good.found, Conversation)


def test_a_set_may_be_a_directory(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "README.md").write_text("Two files.")
    for name in ("b.jsonl", "a.json"):
        (tmp_path / "set" / name).write_text(json.dumps({**GOOD, "category": name}))
    found = [(one.id, one.file, one.found) for one in records(tmp_path, tmp_path / "set")]
    assert [(number, file) for number, file, _ in found] == [
        ("demo:00000000", str(tmp_path / "set" / "a.json")),
        ("demo:00000001", str(tmp_path / "set" / "b.jsonl")),
    ]
    assert [getattr(conversation, "category", "") for *_, conversation in found] == ["a.json", "b.jsonl"]
    with pytest.raises(UserError, match="cannot tell the format from the name"):
        records(tmp_path, tmp_path / "set" / "README.md")


def test_columns_and_format_of_the_sheet_hold(tmp_path: Path) -> None:
    (tmp_path / "set.txt").write_text("q,a\n问,答\n", encoding="utf-8")
    (record,) = records(tmp_path, tmp_path / "set.txt", format="csv", columns={"instruction": "q", "output": "a"})
    assert isinstance(record.found, Conversation)
    assert [turn.content for turn in record.found.turns] == ["问", "答"]
    with pytest.raises(UserError, match=r"instruction set demo: unknown format 'jsnol'; the nearest .* 'jsonl'"):
        records(tmp_path, tmp_path / "set.txt", format="jsnol")


def test_split_depends_on_prompt_and_seed_alone() -> None:
    chosen = [held_out(f"prompt {i}", 0.1, 1) for i in range(2000)]
    assert 140 < sum(chosen) < 260
    assert chosen == [held_out(f"prompt {i}", 0.1, 1) for i in range(2000)]
    assert chosen != [held_out(f"prompt {i}", 0.1, 2) for i in range(2000)]
