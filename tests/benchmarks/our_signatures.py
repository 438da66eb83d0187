"""Make the signatures of a shard that has been cleaned, which the pipeline does while it cleans.

python tests/benchmarks/our_signatures.py DIRECTORY SOURCE/SHARD.parquet
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from lib.outputs import new_file
from lib.settings.corpus import SignatureSettings
from lib.shard_batches import ShardWriter, batches
from lib.shared_lines import border_lines
from lib.signatures import describe


def main(directory: Path, shard: str) -> None:
    with (
        new_file(directory / "signatures" / shard) as signatures_path,
        new_file(directory / "lines" / shard) as lines_path,
        ShardWriter(signatures_path) as signatures,
        ShardWriter(lines_path) as lines,
    ):
        for documents in batches(directory / "clean" / shard):
            signatures.write(describe(documents, SignatureSettings()))
            lines.write(border_lines(documents))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
