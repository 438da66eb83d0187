"""Samples come from the first documents, show what changed and why something was dropped."""

import json
from pathlib import Path

import polars as pl
import pytest

from lib.core.errors import UserError
from lib.report.samples import (
    EACH,
    PASSAGE,
    SHOWN,
    cleaned_samples,
    compare,
    dropped_samples,
    masked_samples,
    skipped_samples,
)


def write(path: Path, **columns: list[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_parquet(path)


def test_a_passage_shows_what_was_removed() -> None:
    passages = compare("前文<b>重</b>后文", "前文重后文")
    assert passages is not None
    before, after = passages
    assert list(before) == [(False, "前文"), (True, "<b>"), (False, "重"), (True, "</b>"), (False, "后文")]
    assert "".join(text for _, text in after) == "前文重后文"


def test_what_cannot_be_seen_is_written_out() -> None:
    passages = compare("一　\n\u200b二", "一二")
    assert passages is not None
    assert passages[0][1] == (True, "␣↵\n⟨U+200B⟩")


def test_equal_texts_have_no_passage() -> None:
    assert compare("同", "同") is None


def test_a_passage_begins_near_the_first_change_and_is_no_longer_than_said() -> None:
    text = "字" * 1_000 + "x" + "句" * 1_000
    passages = compare(text, text.replace("x", ""))
    assert passages is not None
    assert "".join(text for _, text in passages[0]).startswith("…字字")
    assert [piece for piece in passages[0] if piece[0]] == [(True, "x")]
    assert sum(len(text) for _, text in passages[0]) <= PASSAGE + 2


def test_an_end_that_was_removed_is_shown() -> None:
    passages = compare("正文\n关注我们", "正文")
    assert passages is not None
    assert list(passages[0]) == [(False, "正文"), (True, "↵\n关注我们")]


def test_a_long_end_that_was_removed_is_shown() -> None:
    passages = compare("正文" + "广告" * PASSAGE, "正文")
    assert passages is not None
    before, after = passages
    assert [is_changed for is_changed, _ in before] == [False, True, False]
    assert (before[0][1], before[-1][1]) == ("正文", "…")
    assert list(after) == [(False, "正文")]


def test_where_both_texts_go_on_their_ends_are_no_change() -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 2 * PASSAGE)))
    passages = compare("<b>" + text, text)
    assert passages is not None
    before, after = passages
    assert [piece for piece in before if piece[0]] == [(True, "<b>")]
    assert not any(is_changed for is_changed, _ in after)


def test_documents_that_cleaning_shortened_most_come_first(tmp_path: Path) -> None:
    ids = [f"news:{number:08d}" for number in range(4)]
    write(tmp_path / "raw" / "news" / "0000.parquet", id=ids, text=["同" * 9, "甲乙丙丁", "甲乙丙丁", "丢"])
    write(tmp_path / "clean" / "news" / "0000.parquet", id=ids[:3], text=["同" * 9, "甲乙丙", "甲"])
    samples = cleaned_samples(tmp_path, ["news", "nothing"])
    assert [(sample.document, sample.lengths) for sample in samples] == [(ids[2], (4, 1)), (ids[1], (4, 3))]


def test_samples_of_every_rule_that_dropped(tmp_path: Path) -> None:
    write(
        tmp_path / "dropped" / "news" / "0000.parquet",
        id=["news:0", "news:2", "news:4", "news:6"],
        rule=["minimum_length"] * 3 + ["custom:mine"],
        value=[3.0, 4.0, 5.0, None],
        text=["短" * 1_000, "短", "短", "坏"],
    )
    write(
        tmp_path / "duplicates" / "news.parquet",
        id=["news:00000003"],
        duplicate_of=["books:00000001"],
        rule=["near_duplicate"],
        similarity=[0.875],
    )
    for shard, number in (("0000", 2), ("0001", 3)):
        write(tmp_path / "clean" / "news" / f"{shard}.parquet", id=[f"news:{number:08d}"], text=[f"文{number}"])
    write(tmp_path / "emptied" / "news" / "0000.parquet", id=["news:00000008"], text=["剩"])
    write(
        tmp_path / "contaminated" / "news" / "0000.parquet", id=["news:00000009"], ngram=["考题"], held_out=["demo:1"]
    )
    write(
        tmp_path / "quarantine" / "news.parquet", file=["a.jsonl"], position=["line 3"], reason=["no JSON"], text=["{"]
    )
    rules = ["quarantined", "minimum_length", "custom:mine", "near_duplicate", "shared_lines", "contaminated", "weight"]
    found = dropped_samples(tmp_path, [("news", rule) for rule in rules])
    assert [(sample.rule, sample.document, sample.reason, sample.text) for sample in found] == [
        ("quarantined", "a.jsonl line 3", "no JSON", "{"),
        ("minimum_length", "news:0", "3 characters", "短" * SHOWN + "…"),
        ("minimum_length", "news:2", "4 characters", "短"),
        ("custom:mine", "news:6", "", "坏"),
        ("near_duplicate", "news:00000003", "repeats books:00000001, estimated similarity 0.88", "文3"),
        ("shared_lines", "news:00000008", "too short without its shared lines", "剩"),
        ("contaminated", "news:00000009", "repeats demo:1", "考题"),
    ]


def test_nothing_is_shown_of_rules_that_dropped_nothing(tmp_path: Path) -> None:
    assert dropped_samples(tmp_path, []) == []


def test_examples_of_each_category_with_what_is_masked(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    records = [
        {"id": f"demo:{number}", "source": "demo", "category": category, "spans": [{"text": "问", "trained": False}]}
        for number, category in enumerate(["a", "a", "b", "c", "d"])
    ]
    records[0]["spans"] = [{"text": "问", "trained": False}, {"text": "答", "trained": True}]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    samples = masked_samples(path)
    assert [sample.category for sample in samples] == ["a", "b", "c"]
    assert samples[0].spans == [(False, "问"), (True, "答")]


@pytest.mark.parametrize(
    ("reason", "kind"), [("too long: 900 tokens", "too long"), ("exact duplicate of a:1", "exact duplicate")]
)
def test_skipped_instructions_by_reason(tmp_path: Path, reason: str, kind: str) -> None:
    path = tmp_path / "skipped.jsonl"
    record = {"id": "a:2", "reason": reason, "messages": [{"role": "user", "content": "问"}]}
    path.write_text((json.dumps(record) + "\n") * (EACH + 1))
    found = skipped_samples(path)
    assert [(sample.rule, sample.reason, sample.text) for sample in found] == [(kind, reason, "user: 问")] * EACH


def test_a_broken_record_is_shown_as_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "skipped.jsonl"
    record = {"id": "a:2", "reason": "not JSON (column 7)", "record": '{"instruction"'}
    path.write_text(json.dumps(record) + "\n")
    (sample,) = skipped_samples(path)
    assert (sample.rule, sample.reason, sample.text) == ("not JSON (column …)", "not JSON (column 7)", '{"instruction"')


@pytest.mark.fault
def test_a_shard_that_is_cut_off_is_named(tmp_path: Path) -> None:
    shard = tmp_path / "dropped" / "news" / "0000.parquet"
    write(shard, id=["news:0"], rule=["minimum_length"], value=[7.0], text=["短"])
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"0000\.parquet cannot be read \(.+\); delete it and run again"):
        dropped_samples(tmp_path, [("news", "minimum_length")])
