import json
from pathlib import Path

import polars as pl
import pytest

from lib.core.errors import UserError
from lib.corpus.quality import examples
from lib.corpus.quality.examples import CHARACTERS, FEWEST, check_apart, chosen, read_examples
from lib.settings.corpus import FetchSettings


def read(tmp_path: Path, *addresses: str) -> list[str]:
    return list(read_examples("good_examples", addresses, tmp_path / "downloads", FetchSettings()))


def test_folders_and_files_of_any_format_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "good"
    folder.mkdir()
    (folder / "a.txt").write_text("第一篇", encoding="gb18030")
    (folder / "b.jsonl").write_text(json.dumps({"text": "第二篇"}) + "\n{", encoding="utf-8")
    (folder / "notes.xyz").write_text("不是文章", encoding="utf-8")
    (tmp_path / "more.txt").write_text("第三篇", encoding="utf-8")
    assert sorted(read(tmp_path, str(folder), str(tmp_path / "more.txt"))) == ["第一篇", "第三篇", "第二篇"]
    said = capsys.readouterr().out
    assert "1 files are of no known format" in said
    assert "1 records cannot be read" in said


def test_a_book_is_an_example_for_each_part(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(
        "".join(f"第{number}章\n" + "话" * 9_000 + "\n" for number in range(1, 5)), "utf-8"
    )
    assert len(read(tmp_path, str(tmp_path / "book.txt"))) == 4


def test_an_empty_folder_is_named_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"corpus\.good_examples: .*empty"):
        read(tmp_path, str(tmp_path / "empty"))


def test_examples_are_cleaned_cut_and_different() -> None:
    texts = [f"<b>{number}</b>" for number in range(FEWEST)]
    found = chosen(
        "good_examples", [*texts, *texts, "", "长" * 3 * CHARACTERS], lambda some: [t.strip("<b>/") for t in some]
    )
    assert len(found) == FEWEST + 1
    assert set(found["text"].str.slice(0, 5)) == {*map(str, range(FEWEST)), "长长长长长"}
    assert found["text"].str.len_chars().max() == CHARACTERS
    assert found["hash"].is_sorted()


def test_too_few_examples_are_an_error() -> None:
    with pytest.raises(UserError, match=r"corpus\.bad_examples: 1 different documents are too few .* at least 20"):
        chosen("bad_examples", ["同一篇"] * 50, list)


def test_of_many_examples_a_sample_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"第{number}篇" for number in range(2_500)]
    monkeypatch.setattr(examples, "MOST", 30)
    found = chosen("good_examples", texts, list)
    assert len(found) == 30
    assert chosen("good_examples", reversed(texts), list).equals(found)


def test_a_document_cannot_be_good_and_bad() -> None:
    good = pl.DataFrame({"hash": ["a", "b"], "text": ["甲", "乙"]})
    check_apart(good, pl.DataFrame({"hash": ["c"], "text": ["丙"]}))
    with pytest.raises(UserError, match=r"share 1 documents.*乙"):
        check_apart(good, pl.DataFrame({"hash": ["b"], "text": ["乙"]}))
