import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import clean
import corpus
import deduplicate
import fetch
import pandas as pd
import polars as pl
import pytest
import split

from lib.checksums import sha256_file
from lib.corpus import texts
from lib.errors import UserError

PARAGRAPHS = [f"这是第{number}段文字，<b>内容</b>各不相同。" for number in range(60)]


class Run:
    """The whole stage, program by program, as the rules call them."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.monkeypatch = monkeypatch

    def __call__(self, sources: dict[str, str], shards: int = 2, **settings: Any) -> Path:
        settings = {"minimum_length": 10, "validation_fraction": 0.2} | settings
        cleaning = {key: value for key, value in settings.items() if key != "validation_fraction"}
        rows = [{"name": name, "uri": uri, "license": "CC0-1.0"} for name, uri in sources.items()]
        output = self.directory / "manifest.json"
        for row in rows:
            self.program(fetch, output=f"raw/{row['name']}.json", source=row, shards=shards)
            for shard in range(shards):
                self.shard(clean, f"clean/{row['name']}/{shard:04d}.json", row["name"], shard, cleaning)
        for index, name in enumerate(sources):
            names = list(sources)[: index + 1]
            self.program(
                deduplicate,
                "--sources",
                *names,
                output=f"duplicates/{name}.parquet",
                shards=shards,
                directory=self.directory,
            )
            for shard in range(shards):
                fraction = {"validation_fraction": settings["validation_fraction"]}
                self.shard(split, f"split/{name}/{shard:04d}.json", name, shard, fraction, seed=1)
        self.program(corpus, output="manifest.json", settings=settings | {"shards": shards}, seed=1, sources=rows)
        return output

    def shard(self, program: ModuleType, output: str, source: str, shard: int, settings: Any, **more: Any) -> None:
        more |= {"settings": settings, "source": source, "shard": shard, "directory": self.directory}
        self.program(program, output=output, **more)

    def program(self, program: ModuleType, *arguments: str, output: str, **flags: Any) -> None:
        for flag, value in {**flags, "output": self.directory / output}.items():
            arguments += (f"--{flag}", json.dumps(value) if isinstance(value, dict | list) else str(value))
        self.monkeypatch.setattr(sys, "argv", [program.__name__, *arguments])
        program.main()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return Run(tmp_path / "results", monkeypatch)


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, str]:
    """Two sources; the second repeats ten documents of the first, two of its own, and has three that are too short."""
    lines = {"books": PARAGRAPHS[:40], "news": [*PARAGRAPHS[30:], "短", "也短", "", *PARAGRAPHS[50:52]]}
    for name, texts_ in lines.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, texts_)), encoding="utf-8")
    return {name: f"{name}.jsonl" for name in lines}


def test_counts_and_manifest(run: Run, sources: dict[str, str]) -> None:
    manifest = run(sources)
    table = pd.read_csv(run.directory / "summary.tsv", sep="\t").set_index(["source", "rule"])
    assert table.loc[("news", "read"), "documents_in"] == 35
    assert table.loc[("news", "strip_html"), "documents_changed"] == 32
    assert table.loc[("news", "minimum_length"), "documents_dropped"] == 3
    assert table.loc[("news", "exact_duplicate"), "documents_dropped"] == 12
    assert (table["documents_in"] - table["documents_dropped"] == table["documents_out"]).all()
    lost = table["characters_removed"] + table["characters_dropped"]
    assert (table["characters_in"] - lost == table["characters_out"]).all()

    content = json.loads(manifest.read_text(encoding="utf-8"))
    assert {source for source, _ in texts(manifest, "train")} == {"books", "news"}
    kept = {split_: [text for _, text in texts(manifest, split_)] for split_ in ("train", "validation")}
    assert sorted(kept["train"] + kept["validation"]) == sorted(
        text.replace("<b>", "").replace("</b>", "") for text in PARAGRAPHS
    )
    for name, documents in kept.items():
        assert content["counts"][name] == {"documents": len(documents), "characters": sum(map(len, documents))}
    for path, file in content["files"].items():
        assert sha256_file(run.directory / path) == file["sha256"]
    assert content["facts"]["licenses"] == {"books": "CC0-1.0", "news": "CC0-1.0"}

    card = (run.directory / "README.md").read_text(encoding="utf-8")
    for part in ("`books.jsonl`", "CC0-1.0", "minimum_length: 10", "exact_duplicate", "seed: 1"):
        assert part in card


def test_documents_do_not_depend_on_the_number_of_shards(run: Run, sources: dict[str, str], tmp_path: Path) -> None:
    written: list[bytes] = []
    for shards in (1, 3, 7):
        run.directory = tmp_path / str(shards)
        run(sources, shards=shards)
        for name in ("train", "validation", "dropped"):
            paths = sorted(run.directory.glob(f"{name}/*/*.parquet"))
            assert len(paths) == 2 * shards
            pl.concat(map(pl.read_parquet, paths)).sort("id").write_ndjson(tmp_path / "sorted")
            written.append((tmp_path / "sorted").read_bytes())
    assert written[0:3] == written[3:6] == written[6:9]


def test_two_runs_write_the_same_bytes(run: Run, sources: dict[str, str], tmp_path: Path) -> None:
    contents: list[dict[str, bytes]] = []
    for name in ("one", "two"):
        run.directory = tmp_path / name
        run(sources)
        files = (path for path in run.directory.rglob("*") if path.is_file())
        contents.append({str(path.relative_to(run.directory)): path.read_bytes() for path in files})
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"minimum_length": 1000},
            "nothing survives cleaning: 75 documents read, dropped by rule: minimum_length 75; "
            r"lower corpus.minimum_length \(1000\) or look at results/corpus/dropped/",
        ),
        (
            {"validation_fraction": 1e-6},
            r"no document is held out: .*raise corpus.validation_fraction .* or add documents",
        ),
        ({"validation_fraction": 1 - 1e-6}, "no document is left to train on: .*lower corpus.validation_fraction"),
    ],
)
def test_an_empty_corpus_is_an_error_and_leaves_nothing_behind(
    run: Run, sources: dict[str, str], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        run(sources, **settings)
    assert [path.name for path in run.directory.iterdir() if path.is_file()] == []
