"""The Chinese README maps the article's recipe to settings: its columns are what the settings files and models say."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lib.settings.pipeline import PipelineSettings

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.zh-CN.md").read_text(encoding="utf-8")
ARTICLE: dict[str, Any] = yaml.safe_load((PROJECT / "config" / "article-7b.yaml").read_text(encoding="utf-8"))
ROWS = re.findall(r"^\| [^|]+ \| (`[a-z_0-9]+\.[^|]+) \| `([^`]+)` \| `([^`]+)` \|$", README, re.MULTILINE)


def default(section: str, key: str) -> Any:
    model = PipelineSettings.model_fields[section].annotation
    assert model
    field = model.model_fields[key]
    return field.get_default(call_default_factory=True)


@pytest.mark.parametrize(("keys", "article", "ours"), ROWS)
def test_a_row_has_the_articles_value_and_our_default(keys: str, article: str, ours: str) -> None:
    for section, key in re.findall(r"`([a-z_]+)\.([a-z_0-9]+)`", keys):
        assert ARTICLE[section].get(key, default(section, key)) == yaml.safe_load(article)
        assert default(section, key) == yaml.safe_load(ours)


def test_the_table_was_found() -> None:
    assert len(ROWS) >= 20
