"""Packages of scripts/lib import what stands below them only, so that a stage can be read without the later ones."""

import ast
from itertools import takewhile
from pathlib import Path

import pytest

LIB = Path(__file__).parents[3] / "scripts" / "lib"

# Ground floor first; packages in one line do not import one another. Stages follow in the order of the Snakefile.
FLOORS = [
    {"core"},
    {"settings", "text", "distributed", "sources", "tokens", "chat"},
    {"models", "files"},
    {"base_model"},
    {"corpus"},
    {"tokenizer"},
    {"extended_model"},
    {"training"},
    {"sft"},
    {"evaluation"},
    {"export"},
    {"report"},
    {"runs"},
    {"sweep"},
    {"serving"},
    {"workflow"},
]
PACKAGES = sorted(path.name for path in LIB.iterdir() if path.is_dir() and path.name != "__pycache__")


def test_every_package_has_a_floor() -> None:
    assert sorted(name for floor in FLOORS for name in floor) == PACKAGES
    assert [path.name for path in LIB.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_lower_floors_only(package: str) -> None:
    below = {name for floor in takewhile(lambda floor: package not in floor, FLOORS) for name in floor}
    for path in (LIB / package).rglob("*.py"):
        for imported in imports(path):
            assert imported in below | {package}, f"{path.relative_to(LIB)} imports lib.{imported}"


def test_an_init_file_holds_a_docstring_and_nothing_else() -> None:
    for path in LIB.rglob("__init__.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(module), path.relative_to(LIB)
        assert len(module.body) == 1, path.relative_to(LIB)


@pytest.mark.parametrize("folder", sorted({path.parent for path in LIB.rglob("*.py")}), ids=lambda path: path.name)
def test_a_folder_holds_at_most_a_dozen_modules(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 12


def imports(path: Path) -> set[str]:
    """Packages of lib that the module at `path` imports from."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("lib.")}
