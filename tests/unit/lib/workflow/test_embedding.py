"""What a module's rules need to know about the workflow that uses it."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from lib.workflow.embedding import NOT_EMBEDDED, Embedded

COMMAND = "python {params.command:q} 2>&1 | tee -i {log:q}"


def modifier(prefix: str | None, pattern: str) -> SimpleNamespace:
    """Snakemake's, as far as it matters."""
    path_modifier = SimpleNamespace(prefix=prefix)
    return SimpleNamespace(path_modifier=path_modifier, modify_rulename=lambda name: pattern.replace("*", name))


def test_alone_nothing_changes() -> None:
    assert Embedded.of(modifier(None, "*")) == NOT_EMBEDDED
    assert NOT_EMBEDDED.command(COMMAND) == COMMAND
    assert NOT_EMBEDDED.own_name("clean") == "clean"
    assert NOT_EMBEDDED.inside("results/a.json") == "results/a.json"
    assert NOT_EMBEDDED.outside(["data/a.txt"]) == ["data/a.txt"]


@pytest.mark.parametrize("pattern", ["graftline_*", "*_of_graftline", "a_*_b", "*"])
def test_rules_keep_their_names_in_their_own_files(pattern: str) -> None:
    embedded = Embedded.of(modifier("x/", pattern))
    assert embedded.own_name(pattern.replace("*", "sft_data")) == "sft_data"


def test_programs_work_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    embedded = Embedded.of(modifier("models/my {a}/", "*"))
    assert embedded.folder == "models/my {a}"
    expected = "(cd 'models/my {{a}}' && GRAFTLINE_ROOT=../.. python {params.command:q}) 2>&1 | tee -i {log:q}"
    assert embedded.command(COMMAND) == expected
    assert embedded.inside("models/my {a}/results/a.json") == "results/a.json"
    assert embedded.inside(["models/my {a}/b", "/data/c"]) == ["b", "/data/c"]
    assert embedded.outside(["data/a.txt"]) == [os.path.join(tmp_path, "data/a.txt")]
