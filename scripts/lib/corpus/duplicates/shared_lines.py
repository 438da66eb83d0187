"""Lines that many documents of one source share: running heads, notices, footers, navigation.

Only lines at the borders of a document count, and only long ones, so that refrains, replies (“是。”) and headings in
the middle stay whatever their number. A line is compared by its letters and digits, without the numbers at its ends, so
that a page number (`第 3 页`) makes no other line of it. Whether a line is shared hangs on the number of different
documents that have it, not on shards: counting takes two passes over hashes, the first into a table of fixed size.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from lib.corpus.storage.shards import document_id, intact, read_shard
from lib.text.chunks import cut, rewritten, slices
from lib.text.ngrams import Hashes, folded, line_hashes
from lib.text.series import content_of

BORDER = 10
"""Lines at either end of a document that are counted."""
SHORTEST = 30
"""Bytes of letters and digits: ten Chinese characters or thirty Latin letters. Shorter lines are headings, replies,
verses and names as often as not."""
LONGEST = 900
"""Bytes of a line: three hundred Chinese characters. Longer ones are paragraphs."""
BUCKETS = 1 << 22
"""Of the table in which the first pass counts."""
_AT_ENDS = " \t0123456789０１２３４５６７８９.,:;|/-–—_~·•*#()[]（）［］【】<>，。：；、第共页頁"


def border_lines(documents: pl.DataFrame) -> pl.DataFrame:
    """Columns number (of the document) and line (hash), for each line of `documents` (columns id, text) that counts."""
    numbers = documents["id"].str.extract(r":(\d+)$").cast(pl.UInt64)
    found: list[pl.DataFrame] = []
    done = 0
    for texts, is_long in slices(documents["text"]):
        lines = _borders_of_long(texts) if is_long else _borders(texts)
        frame = pl.DataFrame({"number": numbers.slice(done, len(texts)), "text": lines}).explode("text")
        frame = frame.select("number", line=line_keys(frame["text"]))
        found.append(frame.filter(pl.col("line") != 0).unique(maintain_order=True))
        done += len(texts)
    return pl.concat(found)


def _borders(texts: pl.Series) -> pl.Series:
    """The first and the last lines of each text, as lists; empty lines do not count."""
    lines = pl.col("text").str.replace_all("\n\n+", "\n").str.split("\n")
    later = pl.max_horizontal(pl.lit(BORDER), lines.list.len().cast(pl.Int64) - BORDER)
    chosen = pl.concat_list(lines.list.head(BORDER), lines.list.slice(later))
    return texts.to_frame("text").select(chosen)["text"]


def _borders_of_long(text: pl.Series) -> pl.Series:
    """`_borders` of one long text."""
    first: list[bytes] = []
    last: deque[bytes] = deque(maxlen=BORDER)
    for piece, _ in cut(content_of(text)):
        lines = [line for line in piece.split(b"\n") if line]
        head = lines[: BORDER - len(first)]
        first += head
        last.extend(lines[len(head) :])
    return pl.Series([[line.decode() for line in (*first, *last) if len(line) <= LONGEST]], dtype=pl.List(pl.String))


def line_keys(lines: pl.Series) -> pl.Series:
    """A hash for each line by which it is compared; 0 for those that are too short or too long to be shared."""
    keys = np.zeros(len(lines), np.uint64)
    size = lines.str.len_bytes()
    rows = size.is_between(SHORTEST, LONGEST).arg_true()
    if len(rows):
        codes, ends = folded(lines.gather(rows).str.strip_chars(_AT_ENDS))
        letters = np.append(0, np.cumsum(np.where(codes < 0x800, 1, 3)))[ends]
        keys[rows.to_numpy()] = np.where(np.diff(letters) >= SHORTEST, line_hashes(codes, ends), 0)
    return pl.Series(keys)


def find_shared(files: Sequence[Path], duplicates: Iterable[int], least: int) -> pl.DataFrame:
    """Lines that stand in `least` documents or more, duplicates left out, the most frequent ones first.

    `files` hold what `border_lines` gives, of all shards of a source. Columns: line, documents, number (of the first
    document). Memory: the table, the lines of one file, and those that share a bucket of the table with `least` others.
    """
    gone = np.fromiter(duplicates, np.uint64)
    table = np.zeros(BUCKETS, np.int64)
    for part in _read(files, gone):
        table += np.bincount(_buckets(part["line"].to_numpy()), minlength=BUCKETS)
    counts = [pl.DataFrame(schema={"line": pl.UInt64, "documents": pl.UInt32, "number": pl.UInt64})]
    for part in _read(files, gone):
        candidates = part.filter(table[_buckets(part["line"].to_numpy())] >= least)
        counts.append(candidates.group_by("line").agg(documents=pl.len(), number=pl.col("number").min()))
    counted = pl.concat(counts).group_by("line").agg(pl.col("documents").sum(), pl.col("number").min())
    return counted.filter(pl.col("documents") >= least).sort("documents", "line", descending=[True, False])


def _read(files: Sequence[Path], gone: npt.NDArray[np.uint64]) -> Iterator[pl.DataFrame]:
    for file in files:
        part = read_shard(file)
        yield part.filter(pl.Series(~np.isin(part["number"].to_numpy(), gone), dtype=pl.Boolean))


def _buckets(lines: Hashes) -> npt.NDArray[np.int64]:
    return (lines % np.uint64(BUCKETS)).astype(np.int64)


def with_examples(found: pl.DataFrame, source: str, files: Sequence[Path]) -> pl.DataFrame:
    """`found` with a column text: each line as it stands in the first document that has it.

    `files` are the shards of the source, into which its documents are dealt one by one.
    """
    if not len(found):
        return found.select("line", "documents", text=pl.lit(None, pl.String))
    ids = [document_id(source, number) for number in found["number"]]
    with intact(files[0].parent):
        texts = (
            pl.scan_parquet([files[shard] for shard in sorted({number % len(files) for number in found["number"]})])
            .filter(pl.col("id").is_in(ids))
            .select("id", text=pl.col("text").str.split("\n"))
            .explode("text")
            .collect(engine="streaming")
        )
    texts = texts.with_columns(line=line_keys(texts["text"])).unique(["id", "line"], keep="first", maintain_order=True)
    return (
        found.with_columns(id=pl.Series(ids, dtype=pl.String))
        .join(texts, on=["id", "line"], how="left", maintain_order="left")
        .select("line", "documents", "text")
    )


def first_shared_lines(path: Path, number: int) -> list[str]:
    """The most frequent lines of a file that holds what `with_examples` gives."""
    return read_shard(path, columns=["text"], rows=number)["text"].drop_nulls().to_list()


def without_shared_lines(texts: pl.Series, shared: pl.Series) -> pl.Series:
    """`texts` without the lines whose keys are in `shared`."""
    return rewritten(partial(_without, shared=shared), texts) if len(shared) else texts


def _without(texts: pl.Series, shared: pl.Series) -> pl.Series:
    lines = pl.DataFrame({"text": texts.str.split("\n")}).with_row_index("row").explode("text")
    is_shared = line_keys(lines["text"]).is_in(shared.implode())
    rows = lines.filter(is_shared)["row"].unique().sort()
    if not len(rows):
        return texts
    kept = lines.filter(lines["row"].is_in(rows.implode()), ~is_shared)
    joined = kept.group_by("row", maintain_order=True).agg(pl.col("text").str.join("\n"))
    joined = pl.DataFrame({"row": rows}).join(joined, on="row", how="left", maintain_order="left")
    # The empty lines on both sides of a line that is gone would be two.
    left = joined["text"].fill_null("").str.replace_all("\n\n\n+", "\n\n").str.strip_chars("\n")
    return texts.clone().scatter(rows, left)
