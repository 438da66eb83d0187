"""The sweep over vocabulary sizes: its plan, a real run on the tiny model, and the benchmark that reads it."""

import csv
import sys

import pytest

from documented_outputs import undocumented
from workspace import Workspace

TABLE = "results/tokenizer/sweep.tsv"


@pytest.fixture(scope="module")
def swept(untouched: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with the results of the sweep."""
    workspace = untouched.copy(tmp_path_factory.mktemp("swept") / "project")
    workspace.make(TABLE)
    return workspace


def test_every_size_is_a_job_and_the_default_target_has_none(fresh: Workspace) -> None:
    plan = fresh.planned(TABLE)
    assert {f"{rule} size={size}" for rule in ("sweep_tokenizer", "sweep_size") for size in (0, 20)} <= plan
    assert not any("sweep" in job for job in fresh.planned())


def test_the_table_compares_the_sizes(swept: Workspace) -> None:
    with (swept.root / TABLE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    none, some = rows
    assert [none["new_tokens"], some["new_tokens"]] == ["0", "20"]
    assert [none["parameters_added"], some["parameters_added"]] == ["0", str(20 * 64)]
    assert float(some["characters_per_token"]) > float(none["characters_per_token"])
    for row in rows:
        assert float(row["bits_per_character_trained"]) < float(row["bits_per_character_extended"])
    assert (swept.root / TABLE).with_suffix(".svg").read_text(encoding="utf-8").startswith("<?xml")
    assert "Nothing to be done" in swept.make(TABLE)
    assert undocumented(swept.root / "results") == []


def test_the_benchmark_of_extension_times_the_sizes_and_draws_them(swept: Workspace) -> None:
    swept.configure(sweep={"sizes": [0, 20]})  # the first one is what the others are compared with
    benchmark = swept.run(
        sys.executable, "tests/benchmarks/bench_extension.py", "--config", "config/demo.yaml", OMP_NUM_THREADS="1"
    )
    assert benchmark.status == 0, benchmark.output
    assert "20 new tokens: training step" in benchmark.output
    assert (swept.root / "docs" / "extension.svg").read_text(encoding="utf-8").startswith("<?xml")
