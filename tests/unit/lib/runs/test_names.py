"""A run has one name, which is the name of a folder and nothing else."""

from pathlib import Path

import pytest

from lib.core.errors import UserError
from lib.runs.names import run_folder, run_name
from lib.settings.base import validate
from lib.settings.pipeline import PipelineSettings


def test_the_name_of_a_run() -> None:
    assert run_name(None, []) == ""
    assert run_name(None, [Path("config/demo.yaml").resolve()]) == ""
    assert run_name(None, [Path("config/qwen3-0.6b.yaml")]) == "qwen3-0.6b"
    assert run_name(None, [Path("config/demo.yaml"), Path("more/ranks.yaml")]) == "ranks"
    assert run_name("named", [Path("config/demo.yaml"), Path("ranks.yaml")]) == "named"
    assert run_name("named", []) == "named"
    assert run_folder("") == Path()
    assert run_folder("named") == Path("runs/named")


@pytest.mark.parametrize("file", ["my run.yaml", "我的.yaml", ".yaml", "-n.yaml"])
def test_a_file_that_cannot_name_a_run(file: str) -> None:
    with pytest.raises(UserError, match=r"cannot name a run .*; add `run: NAME` to the file"):
        run_name(None, [Path(file)])


def test_only_the_demo_is_called_so() -> None:
    for given, files in (("demo", []), (None, [Path("config/demo.yaml"), Path("my/demo.yaml")])):
        with pytest.raises(UserError, match=r"'demo' is what the run of config/demo\.yaml alone is called"):
            run_name(given, files)


@pytest.mark.parametrize("name", ["..", "a/b", "/a", "", "a b", ".hidden", "-n", "a\n", "a" * 101])
def test_a_key_that_cannot_name_a_run(name: str) -> None:
    with pytest.raises(UserError, match="run is "):
        validate(PipelineSettings, {"run": name, "base_model": {"uri": "x"}})
