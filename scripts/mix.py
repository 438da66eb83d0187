r"""Decide which documents of one source are trained on, and how often.

    python scripts/mix.py --settings '{"validation_fraction": 0.05}' --seed 1 --source news --shards 4 \
        --weight 0.5 --max-characters 1000000 --directory results/corpus --output results/corpus/mix/news.json

Reads signatures/SOURCE/SHARD.parquet (columns number, characters, text_hash) and duplicates/SOURCE.parquet. A weight of
0.5 takes every document with a chance of one half, 2.5 takes it twice or three times. Under a cap, documents are taken
by lot until the next one would go beyond it. All lots are drawn by the text and the seed. The output holds weight,
max_characters, `before`: the first place in the queue that is not taken any more, or null, and `held_out`: the hash of
the one document that is held out where chance holds none out, or null.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from lib.core.outputs import new_file, write_json
from lib.core.program import program_parser, run, say
from lib.corpus.split.sampling import are_held_out, copies, places, validation_draws
from lib.corpus.storage.shards import document_id, read_shard, shard_paths
from lib.settings.base import from_json
from lib.settings.corpus import SplitSettings


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--weight", type=float, required=True)
    parser.add_argument("--max-characters", type=int)
    parser.add_argument("--directory", type=Path, default=Path("results/corpus"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(SplitSettings, args.settings)

    held_out = nearest_to_hold_out(unique_documents(args.directory, args.source, args.shards), settings, args.seed)
    before = None
    if args.max_characters is not None:
        documents = pl.concat(list(unique_documents(args.directory, args.source, args.shards)))
        is_held_out = are_held_out(documents["text_hash"], settings.validation_fraction, args.seed, held_out)
        documents = documents.filter(pl.Series(~is_held_out, dtype=pl.Boolean))
        before = end_of_queue(documents, args.weight, args.max_characters, args.seed)
    with new_file(args.output) as output:
        mix = {"weight": args.weight, "max_characters": args.max_characters, "before": before, "held_out": held_out}
        write_json(output, mix)
    if held_out:
        say(f"corpus: mix {args.source}: chance holds no document out; the one that comes nearest is held out")
    cap = "no cap" if args.max_characters is None else f"at most {args.max_characters:,} characters"
    say(f"corpus: mix {args.source}: weight {args.weight:g}, {cap}")


def unique_documents(directory: Path, source: str, shards: int) -> Iterator[pl.DataFrame]:
    """Documents of each shard that are no duplicates: columns characters, text_hash."""
    duplicates = read_shard(directory / "duplicates" / f"{source}.parquet", columns=["id"])["id"]
    for path in shard_paths(directory / "signatures" / source, shards):
        documents = read_shard(path, columns=["number", "characters", "text_hash"])
        ids = pl.Series([document_id(source, number) for number in documents["number"]], dtype=pl.String)
        yield documents.filter(~ids.is_in(duplicates.implode())).drop("number")


def nearest_to_hold_out(shards: Iterable[pl.DataFrame], settings: SplitSettings, seed: int) -> str | None:
    """Of several documents of which chance holds none out, the hash of the one with the lowest draw; else None."""
    number, nearest = 0, (1 << 64, "")
    for documents in shards:
        if not len(documents):
            continue
        hashes = documents["text_hash"]
        if are_held_out(hashes, settings.validation_fraction, seed).any():
            return None
        numbers = validation_draws(hashes, seed)
        first = int(np.argmin(numbers))
        nearest = min(nearest, (int(numbers[first]), hashes[first]))
        number += len(documents)
    return nearest[1] if number > 1 else None


def end_of_queue(documents: pl.DataFrame, weight: float, max_characters: int, seed: int) -> int | None:
    """First place in the queue of `documents` (columns characters, text_hash) beyond the cap; None when all fit."""
    queue = places(documents["text_hash"], seed)
    order = np.argsort(queue)
    characters = documents["characters"].to_numpy().astype(np.int64) * copies(documents["text_hash"], weight, seed)
    beyond = np.flatnonzero(np.cumsum(characters[order]) > max_characters)
    return int(queue[order[beyond[0]]]) if len(beyond) else None


if __name__ == "__main__":
    run(main)
