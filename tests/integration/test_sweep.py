"""The sweep over vocabulary sizes: its plan, and a real run on the tiny model."""

import csv

from workspace import Workspace

TABLE = "results/tokenizer/sweep.tsv"


def test_every_size_is_a_job_and_the_default_target_has_none(fresh: Workspace) -> None:
    plan = fresh.planned(TABLE)
    assert {f"{rule} size={size}" for rule in ("sweep_tokenizer", "sweep_size") for size in (0, 20)} <= plan
    assert not any("sweep" in job for job in fresh.planned())


def test_the_table_compares_the_sizes(fresh: Workspace) -> None:
    fresh.make(TABLE)
    with (fresh.root / TABLE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    none, some = rows
    assert [none["new_tokens"], some["new_tokens"]] == ["0", "20"]
    assert [none["parameters_added"], some["parameters_added"]] == ["0", str(20 * 64)]
    assert float(some["characters_per_token"]) > float(none["characters_per_token"])
    for row in rows:
        assert float(row["bits_per_character_trained"]) < float(row["bits_per_character_extended"])
    assert (fresh.root / TABLE).with_suffix(".svg").read_text(encoding="utf-8").startswith("<?xml")
    assert "Nothing to be done" in fresh.make(TABLE)
