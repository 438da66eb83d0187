"""Processor time and peak memory of every job of the corpus stage, from fetch to corpus, as the text grows.

    .venv/bin/python tests/benchmarks/bench_scale.py 125 500 2000

Text is made of the demonstration's novel: documents of about a thousand characters, sentences drawn at random with an
invented word in front of each, so that no two documents are alike but the near-duplicates, one in thirty. One source,
one JSONL file, a shard for every 125 MB, default settings, one thread. Jobs that run once for each shard are added up;
their memory is that of the largest.
"""

import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "scripts"), str(PROJECT / "tests"), str(Path(__file__).parent)]

import polars as pl
from bench_corpus import ONE_THREAD, processor

from chinese_text import novel
from cost import Cost, cost_of
from lib.core.outputs import write_json
from lib.corpus.storage.shards import shard_name
from lib.settings.corpus import SourceSettings
from lib.settings.sheets import read_sheet
from lib.sources.addresses import fetched

SHARD_MEGABYTES = 125
SOURCE = "text"
SENTENCES = 32  # of a document
PARAGRAPH = 8  # sentences of a line
WORDS = 200_000
NEAR_DUPLICATES = 1 / 30
KEPT = 1_000  # documents of which a near-duplicate may be one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="+", type=int, help="megabytes of text, of UTF-8")
    parser.add_argument("--work", type=Path, help="folder with room for five times the largest size")
    parser.add_argument("--output", type=Path, default=PROJECT / "results" / "benchmarks" / "scale.json")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=args.work) as name:
        sentences = sentences_of_novel(Path(name) / "downloads")
        for size in args.sizes:
            work = Path(name) / str(size)
            for job, runs, cost in measure(size, sentences, work):
                row = {"megabytes": size, "job": job, "runs": runs, **cost.__dict__}
                rows.append(row)
                print(
                    f"{size:6} MB  {job:12} {runs:3} × {cost.seconds:9.1f} s {cost.wall_seconds:9.1f} s on the clock "
                    f"{cost.megabytes:6.0f} MB",
                    flush=True,
                )
            shutil.rmtree(work)
            args.output.parent.mkdir(parents=True, exist_ok=True)
            write_json(args.output, {"cpu": processor(), "cores": os.cpu_count(), "rows": rows})


def measure(size: int, sentences: list[str], work: Path) -> Iterator[tuple[str, int, Cost]]:
    """Each job, how often it runs, and what that takes together."""
    shards = max(1, round(size / SHARD_MEGABYTES))
    work.mkdir()
    source, sheet, corpus = work / "text.jsonl", work / "corpus.tsv", work / "corpus"
    write_source(source, sentences, size)
    sheet.write_text(f"name\turi\n{SOURCE}\t{source}\n", encoding="utf-8")
    row = json.dumps({"name": SOURCE, "uri": str(source)})

    def job(name: str, output: str, *options: object) -> Cost:
        words = [sys.executable, PROJECT / "scripts" / f"{name}.py", "--output", corpus / output, *options]
        return cost_of([words], ONE_THREAD)

    def of_shards(name: str, *options: object) -> tuple[str, int, Cost]:
        total = Cost(0, 0, 0)
        for shard in range(shards):
            which = ("--source", SOURCE, "--shard", shard, "--directory", corpus)
            total += job(name, f"{name}/{SOURCE}/{shard_name(shard)}.json", *which, *options)
        return name, shards, total

    empty = ("--settings", "{}")
    fetch = ("--source", row, "--shards", shards, "--downloads", work / "downloads")
    yield "fetch", 1, job("fetch", f"raw/{SOURCE}.json", *empty, *fetch)
    source.unlink()
    yield of_shards("clean", *empty, "--signatures", "{}")
    shutil.rmtree(corpus / "raw" / SOURCE)
    whole = (*empty, "--shards", shards, "--directory", corpus)
    yield "deduplicate", 1, job("deduplicate", f"duplicates/{SOURCE}.parquet", *whole, "--sources", SOURCE)
    yield "shared_lines", 1, job("shared_lines", f"shared_lines/{SOURCE}.parquet", *whole, "--source", SOURCE)
    mixing = ("--seed", 1, "--source", SOURCE, "--weight", 1)
    yield "mix", 1, job("mix", f"mix/{SOURCE}.json", *whole, *mixing)
    yield of_shards("split", *empty, "--seed", 1, "--minimum-length", 100)
    settings = json.dumps({"shards": shards})
    yield "corpus", 1, job("corpus", "manifest.json", "--settings", settings, "--seed", 1, "--sheet", sheet)
    print_kept(corpus / "summary.tsv")


def print_kept(summary: Path) -> None:
    """Say how many documents there were, and what became of them."""
    table = pl.read_csv(summary, separator="\t")
    dropped = table.filter(pl.col("documents_dropped") > 0).select("rule", "documents_dropped").rows()
    print(f"{table['documents_in'].max():,} documents; dropped: {dict(dropped)}", flush=True)


def write_source(path: Path, sentences: list[str], size: int) -> None:
    """`size` megabytes of documents as JSONL."""
    left = size * 10**6
    with path.open("w", encoding="utf-8") as file:
        for text in texts(sentences):
            file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
            left -= len(text.encode())
            if left <= 0:
                return


def texts(sentences: list[str]) -> Iterator[str]:
    """Documents without end, the same ones in every call."""
    chance = random.Random(1)
    characters = list(dict.fromkeys("".join(sentences)))
    words = ["".join(chance.choices(characters, k=4)) for _ in range(WORDS)]
    kept: list[str] = []
    while True:
        if kept and chance.random() < NEAR_DUPLICATES:
            text = chance.choice(kept)
            at = chance.randrange(len(text))
            yield text[:at] + chance.choice(words) + text[at:]
            continue
        pairs = zip(chance.choices(words, k=SENTENCES), chance.choices(sentences, k=SENTENCES), strict=True)
        lines = iter(f"{word}，{sentence}" for word, sentence in pairs)
        text = "\n".join("".join(islice(lines, PARAGRAPH)) for _ in range(SENTENCES // PARAGRAPH))
        if len(kept) < KEPT:
            kept.append(text)
        else:
            kept[chance.randrange(KEPT)] = text
        yield text


def sentences_of_novel(downloads: Path) -> list[str]:
    """Those of the demonstration's novel."""
    (source,) = read_sheet(PROJECT / "config" / "corpus.tsv", SourceSettings).values()
    with fetched(source.uri, downloads, source.sha256) as path:
        chapters = novel(path)
    return [line for chapter in chapters for line in re.split(r"(?<=[。！？])", chapter) if len(line) >= 10]


if __name__ == "__main__":
    main()
