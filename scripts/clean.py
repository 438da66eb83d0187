r"""Clean the documents of one shard, and make the signatures by which they are compared with all others.

    python scripts/clean.py --settings '{"minimum_length": 100}' --signatures '{"near_duplicate_ngram": 5}' \
        --source news --shard 0 --directory results/corpus --output results/corpus/clean/news/0000.json

Reads raw/SOURCE/SHARD.parquet below the directory, or what of the shard lies in raw/SOURCE/PART/ when --parts says in
how many parts the source was read, some megabytes at a time. Writes, each as SOURCE/SHARD.parquet:

    clean/       id, text, hash; with --quality also quality, the score by which minimum_quality judges
    dropped/     id, rule that dropped the document, value that it measured, text
    signatures/  number (of the document in its source), characters, text_hash, hash (64 bits of it), signature, and a
                 column for each band
    lines/       number, line (hash), for lines at the borders of documents that other documents may have, too

and what each rule did, in documents and characters, into the output.
"""

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from lib.core.outputs import new_file, write_json
from lib.core.program import program_parser, run, say
from lib.corpus.cleaning.clean import clean
from lib.corpus.cleaning.rewrite import StepCounts
from lib.corpus.duplicates.minhash import describe
from lib.corpus.duplicates.shared_lines import border_lines
from lib.corpus.fetching.parts import part_names
from lib.corpus.quality.classifier import Classifier
from lib.corpus.storage.batches import ShardWriter
from lib.corpus.storage.raw import raw_batches
from lib.corpus.storage.shards import shard_name
from lib.settings.base import from_json
from lib.settings.corpus import CleaningSettings, SignatureSettings


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--signatures", required=True, help="settings of the signatures")
    parser.add_argument("--quality", type=Path, help="manifest beside the classifier of documents, if there is one")
    parser.add_argument("--source", required=True)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--shards", type=int, default=1, help="number of shards that parts were dealt into")
    parser.add_argument("--parts", type=int, default=1, help="number of parts that the source was read in")
    parser.add_argument("--directory", type=Path, default=Path("results/corpus"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(CleaningSettings, args.settings)
    signature_settings = from_json(SignatureSettings, args.signatures)
    classifier = Classifier.load(args.quality.with_name("classifier.npy")) if args.quality else None

    parts = part_names(args.parts) if args.parts > 1 else []
    shard = f"{args.source}/{shard_name(args.shard)}.parquet"
    counts: dict[str, StepCounts] = {}
    documents_read = documents_kept = 0
    with ExitStack() as stack:
        kept, dropped, signatures, lines = (
            stack.enter_context(ShardWriter(stack.enter_context(new_file(args.directory / folder / shard))))
            for folder in ("clean", "dropped", "signatures", "lines")
        )
        for documents in raw_batches(args.directory / "raw", args.source, args.shard, args.shards, parts):
            documents_read += len(documents)
            cleaned = clean(documents, settings, classifier)
            del documents  # one of 50 MB is held several times over as it is
            kept.write(cleaned.kept)
            dropped.write(cleaned.dropped)
            signatures.write(describe(cleaned.kept, signature_settings))
            lines.write(border_lines(cleaned.kept))
            counts = {rule: one + counts[rule] if rule in counts else one for rule, one in cleaned.counts.items()}
            documents_kept += len(cleaned.kept)
            del cleaned
    with new_file(args.output) as output:
        write_json(output, {rule: asdict(one) for rule, one in counts.items()})
    name = f"{args.source} {shard_name(args.shard)}"
    say(f"corpus: clean {name}: {documents_read:,} documents read, {documents_kept:,} kept")


if __name__ == "__main__":
    run(main)
