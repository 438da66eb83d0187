"""What bench_corpus.py compares with, run by the Python that has datatrove: reads Parquet files, writes JSON lines.

    python tests/benchmarks/datatrove_corpus.py {clean,near-duplicates} INPUT OUTPUT

INPUT is a folder of Parquet files with the columns id and text. What is kept lies in OUTPUT/kept.
"""

import sys
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import JsonlWriter

# Its name for Chinese. `zh` is not known to version 0.10.1, which then splits at blanks without a word of warning.
LANGUAGE = "cmn_Hani"
CONFIG = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)


def main() -> None:
    task, source, target = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    kept = JsonlWriter(str(target / "kept"), compression=None)
    if task == "clean":
        filters = [GopherRepetitionFilter(language=LANGUAGE), GopherQualityFilter(language=LANGUAGE)]
        run(target, "clean", [ParquetReader(source), FTFYFormatter(), PIIFormatter(), *filters, kept])
        return
    signatures, buckets, removed = (str(target / name) for name in ("signatures", "buckets", "removed"))
    signing = MinhashDedupSignature(signatures, config=CONFIG, language=LANGUAGE)
    run(target, "signatures", [ParquetReader(source), signing])
    run(target, "buckets", [MinhashDedupBuckets(signatures, buckets, config=CONFIG)], tasks=CONFIG.num_buckets)
    run(target, "cluster", [MinhashDedupCluster(buckets, removed, config=CONFIG)])
    run(target, "filter", [ParquetReader(source), MinhashDedupFilter(removed), kept])


def run(target: Path, name: str, pipeline: list[Any], tasks: int = 1) -> None:
    LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=str(target / "logs" / name)).run()


if __name__ == "__main__":
    main()
