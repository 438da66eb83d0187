import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import clean
import corpus
import data_card
import decontaminate
import deduplicate
import fetch
import held_out
import mix
import pandas as pd
import polars as pl
import pytest
import shared_lines
import split

from lib.core.errors import UserError
from lib.core.outputs import sha256_file
from lib.corpus.storage.reader import texts
from lib.settings.base import to_json
from lib.settings.corpus import (
    CleaningSettings,
    CorpusSettings,
    DecontaminationSettings,
    DeduplicationSettings,
    FetchSettings,
    PreparationSettings,
    SharedLineSettings,
    SignatureSettings,
    SplitSettings,
)

PARAGRAPHS = [f"这是第{number}段文字，<b>内容</b>各不相同。" for number in range(60)]
# Any characters, and as many frequent ones as text has.
PROSE = "".join(
    random.Random(1).choices([chr(0x4E00 + code) for code in range(3000)] + [*"的一是了在人有我他这"] * 100, k=2100)
)


def write_sheet(path: Path, rows: list[dict[str, Any]]) -> None:
    cells = [{key: value for key, value in row.items() if key != "settings"} | row.get("settings", {}) for row in rows]
    columns = list(dict.fromkeys(key for row in cells for key in row))
    lines = ["\t".join(str(row.get(column, "")) for column in columns) for row in cells]
    path.write_text("\n".join(["\t".join(columns), *lines]), encoding="utf-8")


class Run:
    """The whole stage, program by program, as the rules call them."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.monkeypatch = monkeypatch

    def __call__(self, sources: dict[str, str], shards: int = 2, **settings: Any) -> Path:
        """`settings` may hold `rows`, more columns of the sheet by the name of the source."""
        more = settings.pop("rows", {})
        everything = CorpusSettings(**({"minimum_length": 10, "validation_fraction": 0.2, "shards": shards} | settings))
        rows = [{"name": name, "uri": uri, "license": "CC0-1.0"} | more.get(name, {}) for name, uri in sources.items()]
        part = partial(to_json, everything)
        own = {row["name"]: everything.model_copy(update=row.get("settings", {})) for row in rows}
        length = {"minimum-length": everything.minimum_length}
        for row in rows:
            self.program(
                fetch,
                output=f"raw/{row['name']}.json",
                settings=part(FetchSettings),
                source=row,
                shards=shards,
            )
            for shard in range(shards):
                path = f"{row['name']}/{shard:04d}"
                cleaning = to_json(own[row["name"]], CleaningSettings)
                self.shard(
                    clean,
                    f"clean/{path}.json",
                    row["name"],
                    shard,
                    cleaning,
                    signatures=part(SignatureSettings),
                )
        for index, row in enumerate(rows):
            name = row["name"]
            self.program(
                deduplicate,
                "--sources",
                *list(sources)[: index + 1],
                output=f"duplicates/{name}.parquet",
                settings=part(DeduplicationSettings),
                shards=shards,
                directory=self.directory,
            )
            self.program(
                shared_lines,
                output=f"shared_lines/{name}.parquet",
                settings=to_json(own[name], SharedLineSettings),
                source=name,
                shards=shards,
                directory=self.directory,
            )
            cap = ["--max-characters", str(row["max_characters"])] if "max_characters" in row else []
            self.program(
                mix,
                *cap,
                output=f"mix/{name}.json",
                settings=part(SplitSettings),
                seed=1,
                source=name,
                shards=shards,
                weight=row.get("weight", 1),
                directory=self.directory,
            )
            for shard in range(shards):
                output = f"split/{name}/{shard:04d}.json"
                self.shard(split, output, name, shard, part(SplitSettings), seed=1, **length)
        if everything.decontaminate:
            self.decontaminate(list(sources), shards, part(DecontaminationSettings))
        sheet = self.directory.parent / f"{self.directory.name}.tsv"
        write_sheet(sheet, rows)
        prepared = part(PreparationSettings)
        self.program(corpus, output="manifest.json", settings=prepared, seed=1, sheet=sheet)
        of_corpus = {"corpus": self.directory / "manifest.json", "summary": self.directory / "summary.tsv"}
        self.program(data_card, output="origins.json", settings=prepared, sheet=sheet, **of_corpus)
        return self.directory / "manifest.json"

    def decontaminate(self, sources: list[str], shards: int, settings: str) -> None:
        self.program(
            held_out,
            "--sources",
            *sources,
            output="held_out/manifest.json",
            settings=settings,
            reading="{}",
            shards=shards,
            directory=self.directory,
            downloads=self.directory,
        )
        for name in sources:
            for shard in range(shards):
                self.shard(decontaminate, f"decontaminated/{name}/{shard:04d}.json", name, shard, settings)

    def shard(self, program: ModuleType, output: str, source: str, shard: int, settings: Any, **more: Any) -> None:
        more |= {"settings": settings, "source": source, "shard": shard, "directory": self.directory}
        self.program(program, output=output, **more)

    def program(self, program: ModuleType, *arguments: str, output: str, **flags: Any) -> None:
        for flag, value in {**flags, "output": self.directory / output}.items():
            arguments += (f"--{flag}", json.dumps(value) if isinstance(value, dict | list) else str(value))
        self.monkeypatch.setattr(sys, "argv", [program.__name__, *arguments])
        self.start(program)

    def start(self, program: ModuleType) -> None:
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
    less = table["documents_dropped"] - table["documents_added"]
    assert (table["documents_in"] - less == table["documents_out"]).all()
    lost = table["characters_removed"] + table["characters_dropped"] - table["characters_added"]
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
    origins = json.loads((run.directory / "origins.json").read_text(encoding="utf-8"))
    assert origins == {
        "addresses": {"books": "books.jsonl", "news": "news.jsonl"},
        "licenses": {"books": "CC0-1.0", "news": "CC0-1.0"},
    }

    card = (run.directory / "README.md").read_text(encoding="utf-8")
    for part in ("`books.jsonl`", "CC0-1.0", "minimum_length: `10`", "exact_duplicate", "seed: 1"):
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


def random_text(seed: int, characters: int) -> str:
    """Lines of fifty characters each."""
    letters = random.Random(seed).choices(PROSE, k=characters)
    return "".join(f"{''.join(letters[at : at + 50])}。\n" for at in range(0, characters, 50))


@pytest.mark.parametrize("documents", [1, 10])
def test_few_long_documents_are_divided_and_some_parts_held_out(run: Run, tmp_path: Path, documents: int) -> None:
    folder = tmp_path / "novels"
    folder.mkdir()
    for number in range(documents):
        chapters = [
            f"第{chapter}回\n{random_text(100 * number + chapter, 1500)}" for chapter in range(1, 40 // documents)
        ]
        (folder / f"{number}.txt").write_text("".join(chapters), encoding="utf-8")
    written: list[bytes] = []
    for shards in (1, 3):
        run.directory = tmp_path / str(shards)
        run({"novels": str(folder)}, shards=shards, validation_fraction=0.05, split_length=4_000, target_script="any")
        for name in ("train", "validation"):
            paths = sorted(run.directory.glob(f"{name}/*/*.parquet"))
            found = pl.concat(map(pl.read_parquet, paths)).sort("id")
            assert len(found)
            assert found["text"].str.starts_with("第").all()
            found.write_ndjson(tmp_path / "sorted")
            written.append((tmp_path / "sorted").read_bytes())
        card = (run.directory / "README.md").read_text(encoding="utf-8")
        parts = 39 if documents == 1 else 30
        assert f"{documents} documents longer than 4,000 characters were divided into {parts} parts" in card
    assert written[0:2] == written[2:4]


def test_the_only_document_of_a_corpus_cannot_be_held_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_text(random_text(1, 5_000), encoding="utf-8")
    message = r"no document is held out: 1 read, .*at least two documents .*lower corpus.split_length \(20,000\)"
    with pytest.raises(UserError, match=message):
        run({"novel": "novel.txt"}, validation_fraction=0.05)
    with pytest.raises(UserError, match="no document is held out"):
        run({"novel": "novel.txt"}, validation_fraction=0.05, split_length=1_000, split_documents="never")


@pytest.fixture
def dirty(tmp_path: Path) -> dict[str, str]:
    """Two sources with near-duplicates in and across them, and passages that many documents share."""
    windows = [PROSE[start : start + 100] for start in range(0, 2000, 40)]
    lines = {
        "books": [*PARAGRAPHS[:40], *windows[::2], *(f"{window}。书" for window in windows[:8:2])],
        "news": [*PARAGRAPHS[30:], *windows[1::2], *(f"{window}，报" for window in windows[:12])],
    }
    for name, texts_ in lines.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, texts_)), encoding="utf-8")
    return {name: f"{name}.jsonl" for name in lines}


def test_mixed_and_decontaminated_text_does_not_depend_on_the_number_of_shards(
    run: Run, dirty: dict[str, str], tmp_path: Path
) -> None:
    written: list[bytes] = []
    rows = {"books": {"weight": 1.5}, "news": {"max_characters": 800}}
    for shards, batch in ((1, 1 << 25), (3, 500), (7, 1 << 25)):
        run.directory = tmp_path / str(shards)
        run.monkeypatch.setattr("lib.corpus.storage.batches.BATCH_BYTES", batch)
        run(dirty, shards=shards, rows=rows, decontaminate=True, decontamination_ngram=30)
        table = pd.read_csv(run.directory / "summary.tsv", sep="\t").set_index(["source", "rule"])
        assert table.loc[("books", "repeat"), "documents_added"] > 5
        assert table.loc[("news", "max_characters"), "documents_dropped"] > 5
        assert table.loc[("news", "repeat"), "characters_out"] <= 800
        assert table.loc[("news", "contaminated"), "documents_dropped"] >= 1
        assert table.groupby("rule")["documents_dropped"].sum()[["near_duplicate", "contaminated"]].min() >= 4
        for name in ("decontaminated", "validation", "contaminated"):
            paths = sorted(run.directory.glob(f"{name}/*/*.parquet"))
            pl.concat(map(pl.read_parquet, paths)).sort("id").write_ndjson(tmp_path / "sorted")
            written.append((tmp_path / "sorted").read_bytes())
        written.append((run.directory / "summary.tsv").read_bytes())
    assert written[0:4] == written[4:8] == written[8:12]


FOOTER = "本页面由某某翻译计划的志愿者维护，欢迎指正"


@pytest.fixture
def pages(tmp_path: Path) -> dict[str, str]:
    """Two sources: pages with a footer, two of which have little else, one copied ten times; and pages without."""
    short = [f"短文{number}。\n{FOOTER} {number}" for number in range(2)]
    copied = ["这一篇有十份一模一样的抄本，它的文字不是别人的页脚。\n另一行也一样。"] * 10
    lines = {
        "manual": [
            *(f"{text}\n是。\n第{number}页 {FOOTER}" for number, text in enumerate(PARAGRAPHS[:30])),
            *short,
            *copied,
        ],
        "books": [*PARAGRAPHS[30:], f"书里引用了一行：\n{FOOTER}"],
    }
    for name, texts_ in lines.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, texts_)), encoding="utf-8")
    return {name: f"{name}.jsonl" for name in lines}


def test_shared_lines_are_dropped_for_any_number_of_shards(run: Run, pages: dict[str, str], tmp_path: Path) -> None:
    written: list[list[bytes]] = []
    for shards, batch in ((1, 1 << 25), (5, 300)):
        run.directory = tmp_path / str(shards)
        run.monkeypatch.setattr("lib.corpus.storage.batches.BATCH_BYTES", batch)
        manifest = run(pages, shards=shards, near_duplicates=False)
        table = pd.read_csv(run.directory / "summary.tsv", sep="\t").set_index(["source", "rule"])
        row = table.loc[("manual", "shared_lines")]
        assert row[["documents_changed", "documents_dropped", "documents_out"]].tolist() == [30, 2, 31]
        assert row["characters_in"] - row["characters_removed"] - row["characters_dropped"] == row["characters_out"]
        assert not table.loc[("books", "shared_lines"), ["documents_changed", "documents_dropped"]].any()
        everything = "\n".join(text for name in ("train", "validation") for _, text in texts(manifest, name))
        assert everything.count(FOOTER) == 1
        assert everything.count("\n是。") == 30
        assert everything.count("页脚") == 1
        assert f"- 第0页 {FOOTER}" in (run.directory / "README.md").read_text(encoding="utf-8")
        outputs = []
        for name in ("train", "validation", "emptied", "shared_lines"):
            frames = [pl.read_parquet(path) for path in sorted(run.directory.glob(f"{name}/**/*.parquet"))]
            pl.concat(frames).sort("text").write_ndjson(tmp_path / "sorted")
            outputs.append((tmp_path / "sorted").read_bytes())
        written.append([*outputs, (run.directory / "summary.tsv").read_bytes()])
    assert written[0] == written[1]


def test_a_finished_corpus_has_no_shared_lines_left(run: Run, pages: dict[str, str], tmp_path: Path) -> None:
    manifest = run(pages)
    finished = sorted([*texts(manifest, "train"), *texts(manifest, "validation")])
    for name in pages:
        lines = [json.dumps(text) for source, text in finished if source == name]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run.directory = tmp_path / "again"
    manifest = run(pages)
    assert sorted([*texts(manifest, "train"), *texts(manifest, "validation")]) == finished


def test_a_source_may_keep_its_shared_lines(run: Run, pages: dict[str, str]) -> None:
    manifest = run(pages, rows={"manual": {"settings": {"strip_shared_lines": False}}})
    assert "".join(text for _, text in texts(manifest, "train")).count(FOOTER) > 10
    assert "for manual: strip_shared_lines: `False`" in (run.directory / "README.md").read_text(encoding="utf-8")


def test_records_that_cannot_be_read_are_in_the_ledger(run: Run, sources: dict[str, str], tmp_path: Path) -> None:
    with (tmp_path / "news.jsonl").open("a", encoding="utf-8") as file:
        file.write('\n{"text": "没有结尾\n{"title": "没有正文"}\n')
    run(sources)
    table = pd.read_csv(run.directory / "summary.tsv", sep="\t").set_index(["source", "rule"])
    row = table.loc[("news", "quarantined")]
    assert row[["documents_in", "documents_dropped", "documents_out"]].tolist() == [37, 2, 35]
    assert table.loc[("books", "quarantined"), "documents_dropped"] == 0
    assert pl.read_parquet(run.directory / "quarantine" / "news.parquet").columns == [
        "file",
        "position",
        "reason",
        "text",
    ]
    card = (run.directory / "README.md").read_text(encoding="utf-8")
    assert re.search(r"news: 1 × .*, 1 × .* could not be read and are in quarantine/news.parquet", card), card


def test_no_training_document_shares_a_long_run_with_validation(run: Run, dirty: dict[str, str]) -> None:
    manifest = run(dirty, decontaminate=True, decontamination_ngram=30)
    train, validation = ([text for _, text in texts(manifest, name)] for name in ("train", "validation"))
    runs = {text[place : place + 40] for text in validation for place in range(len(text) - 39)}
    assert runs
    assert not any(text[place : place + 40] in runs for text in train for place in range(len(text) - 39))


def test_two_runs_write_the_same_bytes(run: Run, sources: dict[str, str], tmp_path: Path) -> None:
    for name in ("one", "two"):
        run.directory = tmp_path / name
        run(sources)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The folder of the results, on a disk of 4 MB."""
    disk = tmp_path / "results"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


class RunOnFullDisk(Run):
    """Every program in a process of its own, on one thread; it meets a full disk first, and then one with room."""

    def start(self, program: ModuleType) -> None:
        filler = self.directory / "filler"
        before = {path for path in self.directory.rglob("*") if path.is_file()}
        with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        command = [sys.executable, str(program.__file__), *sys.argv[1:]]
        environment = os.environ | {"POLARS_MAX_THREADS": "1", "RAYON_NUM_THREADS": "1"}
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        filler.unlink()
        assert result.returncode == 1
        (line,) = result.stderr.splitlines()
        assert re.match(r"error: cannot write \S+: No space left on device; make room and run again", line)
        assert {path for path in self.directory.rglob("*") if path.is_file()} == before
        subprocess.run(command, check=True, env=environment)


@pytest.mark.slow
@pytest.mark.fault
def test_after_a_full_disk_a_rerun_on_one_thread_ends_like_an_undisturbed_run_on_all(
    run: Run, sources: dict[str, str], small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources.pop("books")
    RunOnFullDisk(small_disk, monkeypatch)(sources, shards=1)
    run.directory = tmp_path / "undisturbed"
    run(sources, shards=1)
    assert contents(small_disk) == contents(run.directory)


def contents(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"minimum_length": 1000},
            "nothing survives cleaning: 75 documents read, dropped by rule: minimum_length 75; "
            r"lower corpus.minimum_length \(1000\) or look at results/corpus/dropped/",
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
