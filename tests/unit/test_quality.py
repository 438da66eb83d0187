import json
import random
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import quality

from lib.core.errors import UserError
from lib.corpus.quality.classifier import Classifier

GOOD = ["院子", "老槐树", "祖母", "石桥", "小板凳", "河边", "春天", "雨水", "故事", "蒲扇"]
BAD = ["优惠", "批发", "厂家", "直销", "价格", "热线", "代理", "加盟", "免费", "咨询"]


def write(path: Path, words: list[str], number: int = 30) -> Path:
    draw = random.Random(number)
    texts = ["，".join(draw.choices(words, k=20)) for _ in range(number)]
    path.write_text("\n".join(json.dumps({"text": f"<p>{text}</p>"}) for text in texts), encoding="utf-8")
    return path


def learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: Path, bad: Path, **cleaning: Any) -> dict[str, Any]:
    settings = json.dumps({"good_examples": [str(good)], "bad_examples": [str(bad)]})
    output = tmp_path / "quality" / "manifest.json"
    arguments = ["--settings", settings, "--cleaning", json.dumps(cleaning), "--reading", "{}"]
    arguments += ["--downloads", str(tmp_path / "downloads"), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["quality.py", *arguments])
    quality.main()
    return dict(json.loads(output.read_text(encoding="utf-8")))


def test_says_how_well_held_out_examples_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = write(tmp_path / "good.jsonl", GOOD), write(tmp_path / "bad.jsonl", BAD, 40)
    manifest = learned(tmp_path, monkeypatch, good, bad, minimum_quality=0.4)
    assert manifest["counts"] == {"good": 30, "bad": 40}
    assert manifest["facts"]["held_out"] == {
        "limit": 0.4,
        **dict.fromkeys(("precision", "recall", "specificity", "accuracy"), 1),
    }
    assert [row["limit"] for row in manifest["facts"]["by_limit"]] == [step / 10 for step in range(1, 10)]
    assert "at 0.4, 100.0% of the held-out good examples are kept" in capsys.readouterr().out
    examples = pl.read_parquet(tmp_path / "quality" / "examples.parquet")
    assert examples.columns == ["is_good", "score", "text"]
    assert not examples["text"].str.contains("<p>").any()
    assert Classifier.load(tmp_path / "quality" / "classifier.npy").scores(pl.Series(["，".join(GOOD)]))[0] > 0.9


def test_warns_when_examples_can_hardly_be_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    learned(tmp_path, monkeypatch, write(tmp_path / "a.jsonl", GOOD, 30), write(tmp_path / "b.jsonl", GOOD, 31))
    assert "warning: the examples can hardly be told apart" in capsys.readouterr().out


def test_nothing_is_left_behind_when_examples_are_too_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = write(tmp_path / "good.jsonl", GOOD), write(tmp_path / "bad.jsonl", BAD, 3)
    with pytest.raises(UserError, match=r"corpus\.bad_examples: 3 different documents"):
        learned(tmp_path, monkeypatch, good, bad)
    assert not (tmp_path / "quality").exists()
