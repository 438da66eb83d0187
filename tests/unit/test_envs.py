"""The conda environments hold the versions that were tested, and what the programs of their rules import."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from lib.core.fingerprint import _with_imports

PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = sorted((PROJECT / "envs").glob("*.yaml"))
PACKAGES = packages_distributions()


def pins(lines: list[str]) -> dict[str, str]:
    """Versions by package out of `name==version` lines; comments and conditions left out."""
    found = (re.fullmatch(r"([\w.-]+)==(\S+)", re.split("[#;]", line)[0].strip()) for line in lines)
    return {match[1].lower().replace("_", "-"): match[2] for match in found if match}


def pins_of(environment: Path) -> dict[str, str]:
    dependencies = yaml.safe_load(environment.read_text(encoding="utf-8"))["dependencies"]
    return pins(next(part["pip"] for part in dependencies if isinstance(part, dict)))


def pins_in(name: str) -> dict[str, str]:
    return pins((PROJECT / "envs" / name).read_text(encoding="utf-8").splitlines())


OTHER_VERSIONS = {"lm_eval": {"chardet": "5.2.0"}}
"""Of packages that an environment has for others' sake and its programs do not use."""


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_has_the_tested_versions(environment: Path) -> None:
    assert pins_of(environment)
    tested: dict[str, str] = {}
    for name in ("requirements.txt", "requirements-export.txt", "requirements-lm-eval.txt"):
        tested |= pins_in(name)
    assert pins_of(environment).items() <= (tested | OTHER_VERSIONS.get(environment.stem, {})).items()


def test_lm_eval_has_all_that_it_brings_along_as_tested() -> None:
    assert pins_in("requirements-lm-eval.txt").items() <= pins_of(PROJECT / "envs" / "lm_eval.yaml").items()


@pytest.mark.parametrize(
    "name", [f"requirements{part}.txt" for part in ("", "-test", "-export", "-serving", "-lm-eval")]
)
def test_the_constraints_contradict_no_requirement(name: str) -> None:
    constraints = pins_in("constraints.txt")
    assert {package: constraints.get(package, version) for package, version in pins_in(name).items()} == pins_in(name)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_has_all_that_its_programs_import(environment: Path) -> None:
    available = set(pins_of(environment))
    for program in programs_in(environment):
        for module in _with_imports(program, PROJECT / "scripts"):
            for name in imported(module):
                found = {package.lower().replace("_", "-") for package in PACKAGES.get(name, [name])}
                assert found & available, f"{module.name} imports {name}, which {environment.name} lacks"


def programs_in(environment: Path) -> list[Path]:
    """Programs of the rules that run in `environment`."""
    programs = []
    for rules in (PROJECT / "rules").glob("*.smk"):
        for body in re.split(r"^\s*rule ", rules.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            if f"envs/{environment.name}" in body:
                names = re.findall(r'program\("(\w+)"', body)
                programs += [PROJECT / "scripts" / f"{name}.py" for name in names]
    assert programs
    return programs


def imported(module: Path) -> set[str]:
    """Top-level names of the packages that a module imports, the standard library's and the project's left out.

    What is imported for the type checker alone is not needed to run.
    """
    names = set()
    tree = ast.parse(module.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not _is_for_types(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"lib"}


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
