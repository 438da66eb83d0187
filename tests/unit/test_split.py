import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import split

from lib.corpus.duplicates.shared_lines import line_keys
from lib.corpus.split.sampling import are_held_out
from lib.text.hashes import text_hashes

FOOTER = "本网站由某某网络科技有限公司维护"
HASHES = text_hashes(pl.Series([f"文件{number}" for number in range(2000)]))
IDS = [f"news:{number}" for number in range(len(HASHES))]


class Stage:
    """Documents as the steps before the split leave them, and what the split makes of them."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.monkeypatch = monkeypatch

    def __call__(
        self,
        texts: str | Sequence[str] = "四个字符",
        duplicates: dict[str, str] | None = None,
        lines: Sequence[str] = (),
        **mix: Any,
    ) -> dict[str, dict[str, int]]:
        """Counts of a split of 2,000 documents with `texts`; `duplicates` are rules by id."""
        repeated = [texts] * len(IDS) if isinstance(texts, str) else texts
        self.write("clean/news/0000.parquet", pl.DataFrame({"id": IDS, "text": repeated, "hash": HASHES}))
        rules = {"id": list(duplicates or {}), "rule": list((duplicates or {}).values())}
        schema = {"id": pl.String, "rule": pl.String}
        self.write("duplicates/news.parquet", pl.DataFrame(rules, schema=schema))
        keys = line_keys(pl.Series(lines, dtype=pl.String))
        self.write("shared_lines/news.parquet", pl.DataFrame({"line": keys}))
        (self.directory / "mix").mkdir()
        everything = {"weight": 1, "max_characters": None, "before": None, "held_out": None}
        (self.directory / "mix" / "news.json").write_text(json.dumps(everything | mix))

        output = self.directory / "split" / "news" / "0000.json"
        arguments = ["--settings", '{"validation_fraction": 0.2}', "--seed", "1", "--source", "news", "--shard", "0"]
        arguments += ["--minimum-length", "4", "--directory", str(self.directory), "--output", str(output)]
        self.monkeypatch.setattr(sys, "argv", ["split.py", *arguments])
        split.main()
        counts: dict[str, dict[str, int]] = json.loads(output.read_text())
        return counts

    def write(self, name: str, frame: pl.DataFrame) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(path)

    def read(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.directory / name / "news" / "0000.parquet")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def test_duplicates_go_and_the_rest_is_split(stage: Stage) -> None:
    rules = ["exact_duplicate", "near_duplicate", "near_duplicate", "exact_duplicate"]
    counts = stage(duplicates=dict(zip(["news:5", "news:7", "news:8", "news:9999"], rules, strict=True)))
    train, validation = stage.read("train"), stage.read("validation")
    assert train.columns == validation.columns == ["id", "text"]
    held_out = {name for name, is_held_out in zip(IDS, are_held_out(HASHES, 0.2, 1), strict=True) if is_held_out}
    unique = set(IDS) - {"news:5", "news:7", "news:8"}
    assert set(validation["id"]) == held_out & unique
    assert set(train["id"]) == unique - held_out
    assert counts["exact_duplicate"] == {"documents": 1, "characters": 4}
    assert counts["near_duplicate"] == {"documents": 2, "characters": 8}
    assert (
        counts["train"]["documents"] == counts["before_mix"]["documents"] == len(train) == len(unique) - len(validation)
    )
    assert counts["validation"]["characters"] == 4 * len(validation)
    assert counts["weight"] == counts["max_characters"] == counts["repeat"] == {"documents": 0, "characters": 0}


def test_shared_lines_go_and_with_them_documents_that_are_too_short(stage: Stage) -> None:
    counts = stage([f"正文四字\n{FOOTER}"] * 1998 + [f"三个字\n{FOOTER}", "三个字"], lines=[FOOTER])
    assert counts["shared_lines"] == {
        "documents": 1,
        "characters": 4 + len(FOOTER),
        "changed": 1998,
        "removed": 1998 * (1 + len(FOOTER)),
    }
    assert stage.read("emptied").rows() == [("news:1998", f"三个字\n{FOOTER}")]
    # What was short before was let through by a setting of its own, and stays.
    assert counts["train"]["documents"] + counts["validation"]["documents"] == 1999
    for name in ("train", "validation"):
        assert set(stage.read(name)["text"]) <= {"正文四字", "三个字"}


def test_training_documents_alone_are_mixed(stage: Stage) -> None:
    counts = stage(weight=1.5)
    train, validation = (stage.read(name)["id"] for name in ("train", "validation"))
    assert validation.n_unique() == len(validation)
    assert 0 < counts["repeat"]["documents"] == len(train) - counts["before_mix"]["documents"]
    assert {name.removesuffix("#2") for name in train} == set(IDS) - set(validation)
