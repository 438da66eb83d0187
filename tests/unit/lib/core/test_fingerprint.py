"""A fingerprint follows what a program does, not how it is written."""

from pathlib import Path

import pytest

from lib.core import fingerprint
from lib.core.fingerprint import code_fingerprint

PROGRAM = '"""Doc."""\n\nfrom lib.used import LIMIT\n\n\ndef main() -> int:\n    """Doc."""\n    return LIMIT  # why\n'


@pytest.fixture
def program(tmp_path: Path) -> Path:
    tmp_path = tmp_path / "scripts"
    tmp_path.mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__init__.py").touch()
    (tmp_path / "lib" / "used.py").write_text("from lib import deep\n\nLIMIT = deep.BASE + 1\n")
    (tmp_path / "lib" / "deep.py").write_text("BASE = 1\n")
    (tmp_path / "lib" / "unused.py").write_text("X = 1\n")
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path / "program.py"


def fresh(program: Path) -> str:
    for cached in (fingerprint._imports, fingerprint._tree, fingerprint._texts, fingerprint._behaviour):
        cached.cache_clear()
    return code_fingerprint(program)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("program.py", PROGRAM.replace("Doc.", "Another text.").replace("# why", "# because")),
        ("program.py", PROGRAM.replace("return LIMIT", "return (\n        LIMIT\n    )")),
        ("lib/deep.py", '"""New doc."""\n\n# comment\nBASE   =  1\n"""What BASE is."""\n'),
        ("lib/unused.py", "X = 2\n"),
    ],
)
def test_unchanged_behaviour_keeps_it(program: Path, file: str, text: str) -> None:
    before = fresh(program)
    (program.parent / file).write_text(text)
    assert fresh(program) == before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("program.py", PROGRAM.replace("return LIMIT", "return LIMIT + 1")),
        ("lib/used.py", "from lib import deep\n\nLIMIT = deep.BASE + 2\n"),
        ("lib/deep.py", "BASE = 2\n"),
        ("lib/__init__.py", "print(1)\n"),
    ],
)
def test_changed_behaviour_changes_it(program: Path, file: str, text: str) -> None:
    before = fresh(program)
    (program.parent / file).write_text(text)
    assert fresh(program) != before


@pytest.mark.parametrize("line", ["from . import deep", "from .deep import BASE", "from ..lib import deep"])
def test_relative_imports_are_followed(program: Path, line: str) -> None:
    (program.parent / "lib" / "used.py").write_text(f"{line}\n\nLIMIT = 1\n")
    before = fresh(program)
    (program.parent / "lib" / "deep.py").write_text("BASE = 2\n")
    assert fresh(program) != before


@pytest.fixture
def with_templates(program: Path) -> Path:
    (program.parent / "lib" / "used.py").write_text('PAGE = "page.html.jinja"\n')
    templates = program.parent.parent / "templates"
    templates.mkdir()
    (templates / "page.html.jinja").write_text('{% include "style.css" %}')
    (templates / "style.css").write_text("a {}")
    (templates / "other.css").write_text("b {}")
    return templates


@pytest.mark.parametrize(("name", "is_used"), [("page.html.jinja", True), ("style.css", True), ("other.css", False)])
def test_templates_count_that_are_named(program: Path, with_templates: Path, name: str, is_used: bool) -> None:
    before = fresh(program)
    path = with_templates / name
    path.write_text(f"{path.read_text()} ")
    assert (fresh(program) != before) == is_used


@pytest.mark.parametrize(
    ("program", "names"),
    [
        ("report.py", {"report.html.jinja", "page.html.jinja", "macros.html.jinja", "page.css", "page.js"}),
        ("data_card.py", {"data_card.md.jinja"}),
        ("sft_model.py", {"model_card.md.jinja"}),
        ("clean.py", set()),
    ],
)
def test_the_templates_of_this_project_are_found(program: str, names: set[str]) -> None:
    scripts = Path(__file__).resolve().parents[4] / "scripts"
    modules = fingerprint._with_imports(scripts / program, scripts)
    assert {path.name for path in fingerprint._templates(modules, scripts.parent / "templates")} == names
