"""Environments hold the versions that were tested, what the programs of their rules import, and all that it needs."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from lib.core.fingerprint import _with_imports
from lock import HEADS, OTHER_VERSIONS, TO_RUN, normal_name, pins, split_entries

PROJECT = Path(__file__).resolve().parents[2]
ENVS = PROJECT / "envs"
ENVIRONMENTS = sorted(ENVS.glob("*.yaml"))
RECIPE = (ENVS / "Dockerfile").read_text(encoding="utf-8")
PACKAGES = packages_distributions()
INSTALLED = [*sys.path, str(PROJECT / ".venv-lm-eval")]


def pins_of(environment: Path) -> dict[str, str]:
    dependencies = yaml.safe_load(environment.read_text(encoding="utf-8"))["dependencies"]
    return pins("\n".join(next(part["pip"] for part in dependencies if isinstance(part, dict))))


def pins_in(*names: str) -> dict[str, str]:
    return pins("\n".join((ENVS / name).read_text(encoding="utf-8") for name in names))


def needed_by(package: str, version: str | None, extras: Iterable[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Packages that one asks for, with the extras it wants of them; none if another version or none is installed."""
    found = next(iter(Distribution.discover(name=package, path=INSTALLED)), None)
    if found is None or found.version.partition("+")[0] != version:
        return
    for requirement in map(Requirement, found.requires or []):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield normal_name(requirement.name), frozenset(requirement.extras)


def all_that_is_needed_by(pinned: Mapping[str, str]) -> set[str]:
    """The `pinned` packages and all that they bring along, by what is installed."""
    waiting = [(package, frozenset[str]()) for package in pinned]
    seen = set(waiting)
    while waiting:
        package, extras = waiting.pop()
        new = set(needed_by(package, pinned.get(package), extras)) - seen
        seen |= new
        waiting += new
    return {package for package, _ in seen}


def test_what_is_brought_along_is_found() -> None:
    pinned = pins_in("constraints.txt")
    without = {package: version for package, version in pinned.items() if package != "mpmath"}
    assert all_that_is_needed_by(without) - without.keys() == {"mpmath"}


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_has_the_tested_versions(environment: Path) -> None:
    tested = pins_in("constraints.txt", "requirements-lm-eval.txt")
    assert pins_of(environment)
    assert pins_of(environment).items() <= (tested | OTHER_VERSIONS.get(environment.stem, {})).items()


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_pins_all_that_its_packages_bring_along(environment: Path) -> None:
    assert all_that_is_needed_by(pins_of(environment)) == pins_of(environment).keys()


def test_lm_eval_has_all_that_it_brings_along_as_tested() -> None:
    assert pins_in("requirements-lm-eval.txt").items() <= pins_of(ENVS / "lm_eval.yaml").items()


@pytest.mark.parametrize(
    "name", [f"requirements{part}.txt" for part in ("", "-test", "-export", "-serving", "-lm-eval")]
)
def test_the_constraints_contradict_no_requirement(name: str) -> None:
    constraints = pins_in("constraints.txt")
    assert {package: constraints.get(package, version) for package, version in pins_in(name).items()} == pins_in(name)


@pytest.mark.parametrize("name", HEADS)
def test_a_file_says_how_it_is_written(name: str) -> None:
    text = (ENVS / name).read_text(encoding="utf-8")
    assert text == HEADS[name] + "".join(split_entries(text).values())


def test_all_that_the_requirements_bring_along_is_locked() -> None:
    locked = pins_in("locked.txt", "locked-cuda.txt")
    assert pins_in(*TO_RUN).items() <= locked.items()
    assert all_that_is_needed_by(locked) == locked.keys()
    assert locked.items() <= pins_in("constraints.txt").items()


def test_both_builds_of_torch_are_locked() -> None:
    tested = pins_in("requirements.txt")["torch"]
    assert pins_in("locked-cpu.txt") == {"torch": f"{tested}+cpu"}
    assert pins_in("locked-cuda.txt")["torch"] == tested
    assert "torch" not in pins_in("locked.txt")


@pytest.mark.parametrize("name", ["locked.txt", "locked-cpu.txt", "locked-cuda.txt"])
def test_every_locked_package_has_hashes(name: str) -> None:
    entries = split_entries((ENVS / name).read_text(encoding="utf-8"))
    assert entries.keys() == pins_in(name).keys() != set()
    for entry in entries.values():
        assert re.fullmatch(r"\S+==\S+( ; [^\\\n]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n", entry), entry


def test_the_container_has_what_is_locked_and_the_tested_python() -> None:
    assert "--require-hashes --no-deps -r" in RECIPE
    for environment in ENVIRONMENTS:
        [python] = re.findall(r"- python=(\S+)\n", environment.read_text(encoding="utf-8"))
        assert re.search(rf"python:{re.escape(python)}\.\d+-slim", RECIPE)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_has_all_that_its_programs_import(environment: Path) -> None:
    available = set(pins_of(environment))
    for program in programs_in(environment):
        for module in _with_imports(program, PROJECT / "scripts"):
            for name in imported(module):
                found = {normal_name(package) for package in PACKAGES.get(name, [name])}
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
