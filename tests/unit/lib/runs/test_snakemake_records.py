"""Snakemake's records are read under the names that Snakemake gives them."""

from pathlib import Path

from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence

from lib.runs.snakemake_records import recorded_outputs


def test_names_of_outputs(tmp_path: Path) -> None:
    records = FilePersistence(path=tmp_path / ".snakemake")
    outputs = {"results/model/manifest.json", "results/模型", f"results/{'long/' * 100}end"}
    for output in outputs:
        records._write_record(output, MetadataRecord(rule="rule"))
    assert set(recorded_outputs(tmp_path)) == outputs
    assert all(path.is_file() for path in recorded_outputs(tmp_path).values())
    assert recorded_outputs(tmp_path / "none") == {}
