"""Prompts and control text out of files of any format."""

import json
from pathlib import Path
from typing import Any

import pytest

from lib.core.errors import UserError
from lib.evaluation.named_texts import named_texts
from lib.settings.corpus import ReadingSettings


def read(tmp_path: Path, uri: Path, *, reading: dict[str, Any] | None = None) -> list[str]:
    settings = ReadingSettings.model_validate(reading or {})
    return list(named_texts("evaluation.prompts", str(uri), tmp_path / "downloads", settings, "prompt", "lines"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "一\n\n二\n"),
        ("a.jsonl", '{"prompt": "一"}\n{"prompt": "二", "n": 1}\n'),
        ("a.json", '["一", "二"]'),
        ("a.csv", "prompt,n\n一,1\n二,2\n"),
    ],
)
def test_prompts_of_every_format(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="gb18030")
    assert read(tmp_path, tmp_path / name) == ["一", "二"]


def test_broken_records_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"prompt": "一"\n{"prompt": "二"}\n', encoding="utf-8")
    assert read(tmp_path, path) == ["二"]
    assert f"evaluation.prompts: left out: {path}, line 1: broken JSON" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"settings: evaluation\.prompts: .*a\.jsonl, line 1: broken JSON"):
        read(tmp_path, path, reading={"on_broken_record": "stop"})


def test_files_without_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"question": "一"}]))
    (tmp_path / "a.html").write_text("<p>一</p>")
    with pytest.raises(UserError, match=r"settings: evaluation\.prompts: .*a\.json holds no text that can be read"):
        read(tmp_path, tmp_path / "a.json")
    with pytest.raises(UserError, match=r"settings: evaluation\.prompts: .*a\.html: cannot tell the format"):
        read(tmp_path, tmp_path / "a.html")
