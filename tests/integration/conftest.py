"""One workspace that is run once from end to end, and copies of it for the tests that change things."""

from pathlib import Path

import pytest

from workspace import Workspace, make_workspace

QUICK = ("test_end_to_end", "test_plan")
"""What `make test` runs of these tests: one run from end to end, and plans."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem not in QUICK:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which nothing has run. To be copied, not changed."""
    return make_workspace(tmp_path_factory.mktemp("untouched") / "project")


@pytest.fixture
def fresh(untouched: Workspace, tmp_path: Path) -> Workspace:
    """A workspace of the test's own in which nothing has run."""
    return untouched.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def finished(untouched: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with all results. To be looked at or copied, not changed."""
    workspace = untouched.copy(tmp_path_factory.mktemp("finished") / "project")
    workspace.make()
    return workspace


@pytest.fixture(scope="session")
def commands(finished: Workspace) -> dict[str, list[str]]:
    """The command lines of the programs of both training stages and of their data."""
    return finished.commands("pretrain_data", "pretrain", "sft_data", "sft")


@pytest.fixture
def done(finished: Workspace, tmp_path: Path) -> Workspace:
    """A workspace of the test's own with all results."""
    return finished.copy(tmp_path / "project")
