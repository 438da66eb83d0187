"""Cleaning and near-duplicate removal against datatrove, on real Chinese text, one process each.

    make bench-corpus

Both read Parquet and write what they keep. Speed is MB of UTF-8 text per second of processor time, start-up included,
so that other work on the machine counts for little; medians of three runs, taken in turn. Each text is there twice, the
second time in a cipher where duplicates are looked for: a real shard is far larger than all this text, and start-up
would be half of what is measured. Duplicate F1 is measured on planted copies (tests/planted.py). The pipeline cleans
and makes signatures in one program, so that both together take less than the two by themselves. What each step of
cleaning costs is measured in a run of its own, in which it sees all texts once. Growth is our own speed and peak memory
at 1, 4 and 16 times the text.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "scripts"), str(PROJECT / "tests"), str(Path(__file__).parent)]

import polars as pl

from chinese_text import disguised, documents
from cost import Cost, cost_of
from lib.core.outputs import new_file, write_json
from lib.corpus.storage.shards import document_id
from lib.text.hashes import text_hashes
from planted import Document, by_kind, plant, score

ROUNDS = 3
TIMES = 2
COPIED = 300  # texts that get a copy of each kind
GROWTH = (1, 4, 16)
GROWTH_MEGABYTES = 5.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"), "1")
OTHER = "datatrove"
SHARD = "text/0000"
WHICH = ("--source", "text", "--shard", 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="Python of the environment that has datatrove")
    parser.add_argument("--output", type=Path, default=PROJECT / "results" / "benchmarks" / "corpus.json")
    args = parser.parse_args()
    # Not resolved: the Python of an environment is a link to one that knows nothing of it.
    peer = args.peer.absolute()
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([peer, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    texts = documents(Path(site))
    # The reviews hold many that were posted twice, which nobody has marked.
    unlike = documents(Path(site), reviews=False)

    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        rows = [
            *compare_speed(peer, texts, work),
            *cost_of_steps(texts, work),
            *compare_duplicates(peer, unlike, work),
            *grow(texts, work),
        ]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cpu": processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    result = {"machine": machine, "rows": rows}
    args.output.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    for row in rows:
        print(
            f"{row['what']:60} {row['ours']:>9} {row['other']:>9} {row['unit']:14} {row['ratio'] or '–':>7}", flush=True
        )


def row(
    what: str, ours: float, other: float, unit: str, *, other_name: str = OTHER, less: bool = False
) -> dict[str, Any]:
    """A row of the result; `ratio` above 1 means that we are better; None when the other has nothing to divide by."""
    better, worse = (other, ours) if less else (ours, other)
    values = {"ours": round(ours, 3), "other": round(other, 3), "other_name": other_name, "unit": unit}
    return {"what": what, **values, "ratio": round(better / worse, 2) if worse else None}


def compare_speed(peer: Path, texts: Sequence[str], work: Path) -> Iterator[dict[str, Any]]:
    directory, repeated = work / "speed", list(texts) * TIMES
    size = megabytes(repeated)
    # The same text for both: what is cleaned away would not be compared.
    write(directory / "unlike" / f"{SHARD}.parquet", [disguised(text, key) for key in range(TIMES) for text in texts])
    write(directory / "raw" / f"{SHARD}.parquet", repeated)
    runs: dict[tuple[str, str], list[Cost]] = {}
    for number in range(ROUNDS):
        stage = cost_of([clean_program(directory)], ONE_THREAD)
        costs = {"clean": our_cleaning(directory)}
        shutil.copy(directory / "unlike" / f"{SHARD}.parquet", directory / "clean" / f"{SHARD}.parquet")
        signatures = cost_of([part_of_clean("signatures", directory)], ONE_THREAD)
        removing = cost_of(removal(directory), ONE_THREAD)
        costs |= {"near-duplicates": signatures + removing, "both": stage + removing}
        theirs = {
            task: datatrove(peer, task, directory / folder / "text", work / "datatrove")
            for task, folder in (("clean", "raw"), ("near-duplicates", "unlike"))
        }
        theirs["both"] = theirs["clean"] + theirs["near-duplicates"]
        for task in costs:
            runs.setdefault((task, "ours"), []).append(costs[task])
            runs.setdefault((task, OTHER), []).append(theirs[task])
        for task in ("clean", "near-duplicates", "both"):
            one, two = (size / runs[task, who][-1].seconds for who in ("ours", OTHER))
            print(f"round {number + 1}, {task}: ours {one:.2f} MB/s, {OTHER} {two:.2f} MB/s", flush=True)
    for task in ("clean", "near-duplicates", "both"):
        ours, other = (median(size / cost.seconds for cost in runs[task, who]) for who in ("ours", OTHER))
        yield row(f"{task}, {size:.0f} MB", ours, other, "MB/s per core")
        ours, other = (median(cost.megabytes for cost in runs[task, who]) for who in ("ours", OTHER))
        yield row(f"{task}, {size:.0f} MB, peak memory", ours, other, "MB", less=True)


def cost_of_steps(texts: Sequence[str], work: Path) -> Iterator[dict[str, Any]]:
    """The dearest step first."""
    directory = work / "steps"
    write(directory / "raw" / f"{SHARD}.parquet", texts)
    command = list(map(str, part_of_clean("steps", directory)))
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True, env=os.environ | ONE_THREAD).stdout)
        for _ in range(ROUNDS)
    ]
    seconds = {step: median(run[step] for run in runs) for step in runs[0]}
    whole = sum(seconds.values())
    for step, one in sorted(seconds.items(), key=lambda item: -item[1]):
        share = {"other_name": "share of cleaning in %", "ratio": None}
        yield row(f"step {step}", 1000 * one / megabytes(texts), 100 * one / whole, "ms per MB") | share


def compare_duplicates(peer: Path, texts: Sequence[str], work: Path) -> Iterator[dict[str, Any]]:
    planted = plant(texts[::2], COPIED, 1)
    whole: list[tuple[str, list[Document]]] = [("all kinds together", planted)]
    for kind, members in [*whole, *by_kind(planted)]:
        directory = work / "planted"
        shutil.rmtree(directory, ignore_errors=True)
        for step in ("raw", "clean"):
            write(directory / step / f"{SHARD}.parquet", [document.text for document in members])
        our_deduplication(directory)
        ids = set(pl.read_parquet(directory / "duplicates" / "text.parquet")["id"])
        ours = [document_id("text", number) in ids for number in range(len(members))]
        datatrove(peer, "near-duplicates", directory / "raw" / "text", work / "datatrove")
        kept = {
            json.loads(line)["id"]
            for path in (work / "datatrove" / "kept").glob("*.jsonl")
            for line in path.read_text(encoding="utf-8").splitlines()
        }
        other = [document_id("text", number) not in kept for number in range(len(members))]
        one, two = score(members, ours), score(members, other)
        for what in ("precision", "recall", "f1"):
            yield row(f"duplicate {what}, {kind}", getattr(one, what), getattr(two, what), "share")


def grow(texts: Sequence[str], work: Path) -> Iterator[dict[str, Any]]:
    some = texts[:: max(1, round(megabytes(texts) / GROWTH_MEGABYTES))]
    first: dict[str, Cost] = {}
    for times in GROWTH:
        directory = work / "growth"
        shutil.rmtree(directory, ignore_errors=True)
        write(directory / "raw" / f"{SHARD}.parquet", [text for _ in range(times) for text in some])
        costs = {"clean": cost_of([clean_program(directory)], ONE_THREAD)}
        ciphers = [disguised(text, key) for key in range(times) for text in some]
        write(directory / "clean" / f"{SHARD}.parquet", ciphers)
        costs["near-duplicates"] = our_deduplication(directory)
        for task, cost in costs.items():
            base = first.setdefault(task, cost)
            size = megabytes(some)
            name = f"{task}, {times} × {size:.1f} MB"
            speeds = times * size / cost.seconds, size / base.seconds
            yield row(name, *speeds, "MB/s per core", other_name="once the text")
            yield row(
                f"{name}, peak memory", cost.megabytes, base.megabytes, "MB", other_name="once the text", less=True
            )


def our_cleaning(directory: Path) -> Cost:
    """Cost of cleaning the shard in raw/ and nothing else."""
    return cost_of([part_of_clean("clean", directory)], ONE_THREAD)


def our_deduplication(directory: Path) -> Cost:
    """Cost of removing duplicates from the shard in clean/; what is left stands in train/ and validation/."""
    return cost_of([part_of_clean("signatures", directory), *removal(directory)], ONE_THREAD)


def part_of_clean(part: str, directory: Path) -> list[object]:
    return [sys.executable, Path(__file__).parent / "our_corpus.py", part, directory, f"{SHARD}.parquet"]


def clean_program(directory: Path) -> list[object]:
    return program("clean.py", directory, f"clean/{SHARD}.json", "--signatures", "{}", *WHICH)


def removal(directory: Path) -> list[list[object]]:
    """The programs that remove duplicates once there are signatures."""
    with new_file(directory / "mix" / "text.json") as path:  # all of it; splitting asks for it
        write_json(path, {"weight": 1, "max_characters": None, "before": None, "held_out": None})
    splitting = ("--seed", 1, "--minimum-length", 100, *WHICH)
    return [
        program("deduplicate.py", directory, "duplicates/text.parquet", "--sources", "text", "--shards", 1),
        program("shared_lines.py", directory, "shared_lines/text.parquet", "--source", "text", "--shards", 1),
        program("split.py", directory, f"split/{SHARD}.json", *splitting),
    ]


def program(name: str, directory: Path, output: str, *arguments: object) -> list[object]:
    command = [sys.executable, PROJECT / "scripts" / name, "--settings", "{}", *arguments]
    return [*command, "--directory", directory, "--output", directory / output]


def datatrove(peer: Path, task: str, source: Path, target: Path) -> Cost:
    shutil.rmtree(target, ignore_errors=True)
    return cost_of([[peer, Path(__file__).parent / "datatrove_corpus.py", task, source, target]], ONE_THREAD)


def write(path: Path, texts: Sequence[str]) -> None:
    """A shard as the steps before would write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = [document_id("text", number) for number in range(len(texts))]
    frame = pl.DataFrame({"id": ids, "text": texts})
    frame.with_columns(text_hashes(frame["text"])).write_parquet(path, row_group_size=2000)


def megabytes(texts: Sequence[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
