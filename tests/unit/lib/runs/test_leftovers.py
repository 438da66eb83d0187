"""What is left of sources and shards that a run no longer has is found, all of it and nothing else."""

from pathlib import Path

from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence

from lib.runs.leftovers import leftovers, remove, size_of
from lib.runs.snakemake_records import recorded_outputs

KEPT = [
    "results/corpus/raw/news/0000.parquet",
    "results/corpus/raw/news.json",
    "results/corpus/clean/news/0001.json",
    "results/corpus/held_out/names.parquet",
    "results/corpus/manifest.json",
    "results/pretrain_tokens/train/news/0000.arrow",
    "results/tokenizer/old",
    "logs/clean/news/0000.log",
    "logs/evaluate/base.log",
    "benchmarks/fetch/news.tsv",
]
OF_OLD = [
    "results/corpus/raw/old/0000.parquet",
    "results/corpus/raw/old.json",
    "results/corpus/clean/old/0000.json",
    "results/corpus/duplicates/old.parquet",
    "results/pretrain_tokens/validation/old/0000.arrow",
    "logs/fetch/old.log",
    "logs/clean/old/0000.log",
    "benchmarks/clean/old/0000.tsv",
]
OF_MORE_SHARDS = ["results/corpus/clean/news/0002.json", "benchmarks/split/news/0002.tsv"]


def test_leftovers_are_listed_and_removed(tmp_path: Path) -> None:
    for name in [*KEPT, *OF_OLD, *OF_MORE_SHARDS]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1234")
    records = FilePersistence(path=tmp_path / ".snakemake")
    outputs = {name for name in [*KEPT, *OF_OLD, *OF_MORE_SHARDS] if name.startswith("results/")}
    for output in outputs:
        records._write_record(output, MetadataRecord(rule="rule"))

    found = leftovers(tmp_path, ["news"], 2)
    listed = {file for path in found for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()}
    assert listed == {tmp_path / name for name in [*OF_OLD, *OF_MORE_SHARDS]}
    assert sum(map(size_of, found)) == 4 * len(listed)

    remove(tmp_path, found)
    assert {path for path in tmp_path.glob("[!.]*/**/*") if path.is_file()} == {tmp_path / name for name in KEPT}
    assert set(recorded_outputs(tmp_path)) == outputs & set(KEPT)
    assert leftovers(tmp_path, ["news"], 2) == []


def test_a_run_that_has_made_nothing(tmp_path: Path) -> None:
    assert leftovers(tmp_path, ["news"], 2) == []
