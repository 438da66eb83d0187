"""Make the signatures by which the documents of one shard are compared with all others, and those of their lines.

    python scripts/signatures.py --settings '{"near_duplicate_ngram": 5}' \
        --input results/corpus/clean/news/0000.parquet --lines results/corpus/lines/news/0000.parquet \
        --output results/corpus/signatures/news/0000.parquet

Reads the columns id, text and hash. Columns of the output: number (of the document in its source), characters,
text_hash, hash (64 bits of it), signature, and one for each band. Columns of `--lines`: number, line (hash), for lines
at the borders of documents that other documents may have, too.
"""

import argparse
import time
from contextlib import ExitStack
from pathlib import Path

from lib.errors import run
from lib.outputs import new_file
from lib.pieces import byte_lengths
from lib.settings.base import from_json
from lib.settings.corpus import SignatureSettings
from lib.shard_batches import ShardWriter, batches
from lib.shared_lines import border_lines
from lib.signatures import describe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--lines", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(SignatureSettings, args.settings)

    documents, size = 0, 0
    start = time.perf_counter()
    with ExitStack() as stack:
        described, lines = (
            stack.enter_context(ShardWriter(stack.enter_context(new_file(path)))) for path in (args.output, args.lines)
        )
        for batch in batches(args.input):
            described.write(describe(batch, settings))
            lines.write(border_lines(batch))
            documents += len(batch)
            size += sum(byte_lengths(batch["text"]))
            del batch
    name, seconds = f"{args.output.parent.name} {args.output.stem}", time.perf_counter() - start
    print(f"corpus: signatures {name}: {documents:,} documents, {size / 1e6:,.1f} MB in {seconds:,.1f} s", flush=True)


if __name__ == "__main__":
    run(main)
