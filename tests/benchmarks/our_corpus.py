"""A half of scripts/clean.py by itself: our_corpus.py {clean,signatures} DIRECTORY SOURCE/SHARD.parquet."""

import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from lib.core.outputs import new_file
from lib.corpus.storage.batches import ShardWriter, batches


def main() -> None:
    half, directory, shard = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    with ExitStack() as stack:

        def writer(folder: str) -> ShardWriter:
            return stack.enter_context(ShardWriter(stack.enter_context(new_file(directory / folder / shard))))

        if half == "clean":
            clean_shard(directory / "raw" / shard, writer("clean"), writer("dropped"))
        else:
            describe_shard(directory / "clean" / shard, writer("signatures"), writer("lines"))


def clean_shard(path: Path, kept: ShardWriter, dropped: ShardWriter) -> None:
    from lib.corpus.cleaning.clean import clean
    from lib.settings.corpus import CleaningSettings

    for documents in batches(path):
        cleaned = clean(documents, CleaningSettings())
        kept.write(cleaned.kept)
        dropped.write(cleaned.dropped)


def describe_shard(path: Path, signatures: ShardWriter, lines: ShardWriter) -> None:
    from lib.corpus.duplicates.minhash import describe
    from lib.corpus.duplicates.shared_lines import border_lines
    from lib.settings.corpus import SignatureSettings

    for documents in batches(path):
        signatures.write(describe(documents, SignatureSettings()))
        lines.write(border_lines(documents))


if __name__ == "__main__":
    main()
