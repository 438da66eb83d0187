"""The version is written in VERSION; what repeats it agrees."""

import re
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[2]
VERSION = (PROJECT / "VERSION").read_text(encoding="utf-8").strip()


def test_the_citation_names_the_version() -> None:
    assert yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == VERSION


def test_the_changelog_begins_with_the_version() -> None:
    found = re.search(r"^## (\S+)", (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    assert found[1] == VERSION
