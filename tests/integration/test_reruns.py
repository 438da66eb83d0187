"""docs/reruns.md holds, key by key and column by column, what Snakemake plans."""

import re

import pytest

from reruns import DOCUMENT, MOVED, SAME, Planned, Plans, columns, keys, row

TEXT = DOCUMENT.read_text(encoding="utf-8")
CELLS = [(sheet, column) for sheet, names in columns().items() for column in names]


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Plans:
    return Plans(tmp_path_factory.mktemp("reruns"))


def rows(title: str) -> dict[str, str]:
    """Lines of the table below a title, by what they are about."""
    section = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return {name: line for line, name in re.findall(r"^(\| `(\w+)` \|.*)$", section, re.MULTILINE)}


def test_every_key_and_column_has_a_row() -> None:
    sections = {key.rpartition(".")[0] for key in keys()}
    found = {
        f"{section}.{name}".lstrip(".")
        for section in sections
        for name in rows(f"`{section}`" if section else "Top level")
    }
    assert found == keys().keys()
    assert {(sheet, name) for sheet in columns() for name in rows(f"Columns of `{sheet}.tsv`")} == set(CELLS)


@pytest.mark.parametrize("key", keys())
def test_what_a_key_runs_again(plans: Plans, key: str) -> None:
    section, _, name = key.rpartition(".")
    assert row(f"`{name}`", plans.after_key(key)) == rows(f"`{section}`" if section else "Top level")[name]


@pytest.mark.parametrize(("sheet", "column"), CELLS)
def test_what_a_cell_runs_again(plans: Plans, sheet: str, column: str) -> None:
    assert row(f"`{column}`", plans.after_cell(sheet, column)) == rows(f"Columns of `{sheet}.tsv`")[column]


def test_a_changed_environment_runs_nothing_again_without_conda(plans: Plans) -> None:
    for environment in (plans.workspace.root / "envs").glob("*.yaml"):
        environment.write_text(environment.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert plans.planned({}) == Planned(frozenset(), frozenset())


@pytest.mark.parametrize("what", MOVED)
def test_what_the_same_from_elsewhere_runs_again(plans: Plans, what: str) -> None:
    planned = plans.after_move(what)
    assert not planned.rules & {"pretrain", "sft", "clean"}
    assert row(what, planned) in TEXT.partition(f"\n## {SAME}\n")[2].splitlines()
