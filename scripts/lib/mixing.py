"""Training documents as often as the weight and the cap of their source say (mix/SOURCE.json)."""

from typing import Any

import numpy as np
import polars as pl

from lib.draws import copies, places
from lib.shards import Counts, add


def mixed(documents: pl.DataFrame, mix: dict[str, Any], seed: int, counts: Counts) -> pl.DataFrame:
    """Columns id and text of `documents` (id, text, hash), each as often as it is trained on, with ids of their own.

    Adds what is left out (`weight`, `max_characters`) and what is taken once more (`repeat`) to `counts`. A document
    that is taken twice has ids that end in nothing and #2.
    """
    times = copies(documents["hash"], mix["weight"], seed)
    queue = places(documents["hash"], seed)
    in_time = queue < mix["before"] if mix["before"] is not None else np.ones(len(queue), bool)
    add(counts, "weight", documents.filter(pl.Series(times == 0)))
    add(counts, "max_characters", documents.filter(pl.Series((times > 0) & ~in_time)))
    taken = documents.with_columns(times=pl.Series(times)).filter(pl.Series((times > 0) & in_time))
    add(counts, "repeat", _repeated(taken, first=2))
    return _repeated(taken, first=1)


def _repeated(documents: pl.DataFrame, first: int) -> pl.DataFrame:
    """Columns id and text of all copies, from the `first` on, of which the column `times` says how many there are."""
    if first == 1 and (documents["times"] == 1).all():
        return documents.select("id", "text")
    documents = documents.filter(pl.col("times") >= first)
    copy = pl.int_ranges(first, pl.col("times") + 1)
    suffix = pl.when(pl.col("copy") > 1).then(pl.format("#{}", "copy")).otherwise(pl.lit(""))
    return documents.with_columns(copy=copy).explode("copy").select(pl.col("id") + suffix, "text")
