"""Large sources, which several jobs read, and many of them."""

import json
import random
import re

import polars as pl

from workspace import Workspace


def corpus_files(workspace: Workspace) -> dict[str, bytes]:
    folder = workspace.root / "results" / "corpus"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for step in ("clean", "duplicates", "train", "validation", "mix")
        for path in sorted((folder / step).rglob("*.*"))
    }


def test_a_source_in_parts_gives_the_same_corpus(fresh: Workspace) -> None:
    data = fresh.root / "data" / "many"
    data.mkdir()
    some = random.Random(1)
    for number in range(6):
        texts = [
            "".join(some.choices("院子里的老槐树今年开花开得很晚祖母说那是因为春天下了雨", k=80)) for _ in range(20)
        ]
        lines = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
        (data / f"{number}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    sheet = fresh.root / "config" / "corpus.tsv"
    sheet.write_text("name\turi\nmany\tdata/many\n", encoding="utf-8")
    fresh.configure(corpus={"shards": 3, "languages": []})
    target = "results/corpus/manifest.json"
    fresh.make(target)
    whole = corpus_files(fresh)

    sheet.write_text("name\turi\tparts\nmany\tdata/many\t2\n", encoding="utf-8")
    planned = fresh.planned(target)
    assert {job for job in planned if "fetch" in job or "gather" in job} == {
        "fetch_part source=many, part=1-of-2",
        "fetch_part source=many, part=2-of-2",
        "gather source=many",
    }
    fresh.make(target)
    assert corpus_files(fresh) == whole
    assert fresh.planned(target) == set()
    assert len(pl.read_parquet(fresh.root / "results" / "corpus" / "files" / "many.parquet")) == 6

    with (data / "5.jsonl").open("a", encoding="utf-8") as file:
        file.write('\n{"text": "一篇新的文章，写的是秋天"}')
    assert "gather source=many" in fresh.planned(target)


def test_a_download_is_not_divided(fresh: Workspace) -> None:
    sheet = fresh.root / "config" / "corpus.tsv"
    sheet.write_text("name\turi\tparts\nmany\thttps://example.org/a.jsonl\t2\n", encoding="utf-8")
    (error,) = fresh.snakemake("-n").errors
    assert "source many: parts is 2, but one job downloads https://example.org/a.jsonl" in error


def test_plans_do_not_grow_with_the_square_of_the_sources(fresh: Workspace) -> None:
    rows = [f"source_{number}\tdata/stories.jsonl\tlicence {number}" for number in range(65)]
    (fresh.root / "config" / "corpus.tsv").write_text("\n".join(["name\turi\tlicense", *rows]), encoding="utf-8")
    plan = fresh.make("-n", "-p", "results/corpus/manifest.json")
    inputs = re.findall(r"^rule deduplicate:\n(?:    \w.*\n)*?    input: (.*)$", plan, re.MULTILINE)
    assert len(inputs) == 65
    assert max(len(files.split(", ")) for files in inputs) == 1 + 29 * 2  # one block, and the shards of 29 sources
    (last,) = (files for files in inputs if "source_64/0001.parquet" in files)
    assert last.split(", ")[:3] == [
        "results/corpus/signatures/block_0.txt",
        "results/corpus/signatures/block_1.txt",
        "results/corpus/signatures/source_60/0000.parquet",
    ]
    # A command line of 128 KiB is too long for Linux.
    (command,) = re.findall(r"^Shell command: .*?(python \S*/corpus\.py .*)$", plan, re.MULTILINE)
    assert "source_" not in command
    assert "licence" not in command
