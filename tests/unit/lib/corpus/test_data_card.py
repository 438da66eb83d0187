"""The data card shows what data say as text."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from markdown_it import MarkdownIt

from lib.corpus.data_card import data_card
from lib.settings.corpus import PreparationSettings
from lib.settings.sheets import Source

HOSTILE = "# <script>alert(1)</script> | [x](javascript:1) `*all*`"


def raw(**changed: Any) -> dict[str, Any]:
    return {
        "documents": 1234,
        "characters": 56789,
        "encodings": ["utf-8"],
        "undecodable_bytes": 0,
        "files": [{"name": HOSTILE, "sha256": "ab" * 32}],
        "ignored_files": [],
        "number_of_ignored_files": 0,
        "quarantined": {},
        "left_out": {},
        "divided": {},
        **changed,
    }


def card(settings: PreparationSettings, raw: dict[str, Any], lines: list[str], nearest: Sequence[str] = ()) -> str:
    source = Source("news", HOSTILE, license=HOSTILE, settings={"minimum_length": 7})
    table = pd.DataFrame({"source": ["news"], "step": ["clean"], "rule": ["mine"], "documents_in": [1234]})
    splits = {"train": {"documents": 1000, "characters": 50000}}
    return data_card([(source, raw, lines)], nearest, splits, table, settings, 3)


def test_hostile_text_is_shown_as_text() -> None:
    text = card(PreparationSettings(), raw(), [HOSTILE])
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    kinds = {child.type for token in tokens for child in token.children or []}
    assert kinds <= {"text", "text_special", "code_inline", "softbreak"}
    shown = "".join(child.content for token in tokens for child in token.children or [])
    assert shown.count(HOSTILE) == 4  # address, licence, file, shared line
    assert sum(token.type == "heading_open" for token in tokens) == 4  # the card's own


def test_figures_and_settings_are_there() -> None:
    text = card(PreparationSettings(), raw(), [])
    for part in (
        "- train: 1,000 documents, 50,000 characters",
        "| none | 1,234 | 56,789 | utf-8 | 0 |",
        "| source | step | rule | documents in |",
        "| news | clean | mine | 1,234 |",
        "- minimum_length: `100`",
        "- for news: minimum_length: `7`",
        "- seed: 3",
    ):
        assert part in text, part
    assert "share, and that were dropped" not in text


def test_what_was_divided_and_held_out_is_told() -> None:
    text = card(PreparationSettings(), raw(divided={"documents": 1, "parts": 1200}), [], ["news"])
    assert "- news: 1 documents longer than 20,000 characters were divided into 1,200 parts, at chapters" in text
    assert "- news: chance held no document out; the one that came nearest is held out" in text
    assert "divided into" not in card(PreparationSettings(), raw(), [])


def test_what_was_left_out_is_told() -> None:
    text = card(
        PreparationSettings(decontaminate=True),
        raw(
            quarantined={"no JSON": 1200},
            left_out={"empty": 3},
            ignored_files=[f"{number}.exe" for number in range(9)],
            number_of_ignored_files=2000,
        ),
        [],
    )
    assert "news: 1,200 × no JSON could not be read and are in quarantine/news.parquet" in text
    assert "news: left out on reading: 3 × empty" in text
    assert "news: left out 2,000 files of no known format, among them 0.exe, 1.exe, 2.exe, 3.exe, 4.exe\n" in text
    assert "contaminated/SOURCE/SHARD.parquet names each training document" in text
