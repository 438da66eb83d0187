from pathlib import Path

import polars as pl
import pytest

from lib.core.errors import UserError
from lib.corpus.cleaning.clean import clean
from lib.corpus.cleaning.custom_rules import load_custom_rules
from lib.settings.corpus import CleaningSettings

RULES = """
import re

THRESHOLD = 3

def _helper(text):
    return text

def no_numbers(text: str) -> str | None:
    return re.sub("[0-9]", "", _helper(text))

def not_a_draft(text: str) -> str | None:
    return None if "草稿" in text else text
"""


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "rules.py"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_functions_run_in_order_and_are_counted(tmp_path: Path) -> None:
    chosen = CleaningSettings(minimum_length=3, custom_rules=write(tmp_path, RULES))
    cleaned = clean(
        pl.DataFrame({"id": ["a", "b", "c"], "text": ["第12章正文", "这是草稿3", "没有改变的正文"]}), chosen
    )
    assert cleaned.kept.select("id", "text").rows() == [("a", "第章正文"), ("c", "没有改变的正文")]
    assert cleaned.dropped.rows() == [("b", "custom:not_a_draft", None, "这是草稿")]
    counts = cleaned.counts["custom:no_numbers"]
    assert (counts.documents_changed, counts.characters_removed, counts.documents_dropped) == (2, 3, 0)
    counts = cleaned.counts["custom:not_a_draft"]
    assert (counts.documents_dropped, counts.characters_dropped, counts.documents_out) == (1, 4, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:", r"rules.py, line 1 cannot be run: SyntaxError"),
        ("\nimport no_such_module_anywhere\n", r"rules.py, line 2 cannot be run: ModuleNotFoundError"),
        ("x = 1\n", r"rules.py defines no function"),
        ("from re import sub\n", r"rules.py defines no function"),
    ],
)
def test_a_file_without_rules_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_custom_rules(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"custom_rules: .*absent.py does not exist"):
        load_custom_rules(str(tmp_path / "absent.py"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return text[1000]", r"rules.py, line 2: broken failed on document news:7: IndexError: string index"),
        ("return 3", r"rules.py: broken gave int for document news:7"),
        (r'return "\ud800"', r"rules.py: broken gave a lone surrogate for document news:7"),
    ],
)
def test_a_rule_that_fails_is_named_with_the_document(tmp_path: Path, body: str, message: str) -> None:
    chosen = CleaningSettings(custom_rules=write(tmp_path, f"def broken(text):\n    {body}\n"))
    with pytest.raises(UserError, match=message):
        clean(pl.DataFrame({"id": ["news:7"], "text": ["正文"]}), chosen)
