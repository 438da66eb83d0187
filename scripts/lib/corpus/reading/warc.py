"""Pages out of web archives: WARC with HTML, WET with plain text, as Common Crawl publishes both."""

import io
from collections.abc import Iterator
from contextlib import redirect_stderr
from typing import Any

from lib.core.errors import UserError
from lib.corpus.reading.pages import as_page
from lib.files.compression import BLOCK_BYTES, BlockStream
from lib.files.decoding import known_encoding
from lib.files.limits import EXCERPT_CHARACTERS, TooLong
from lib.files.text_files import Broken, TextFile
from lib.files.texts import Texts

_HTML = ("text/html", "application/xhtml+xml")
_PLAIN = "text/plain"
_STARTS = (b"WARC/", b"filedesc:")


def read_warc(file: TextFile) -> Texts:
    """Every page (response or resource) and every text (conversion) is a document.

    Other media and answers with a status other than 200 are left out and counted. Raises UserError when the archive
    cannot be read to its end.
    """
    blocks = file.blocks()
    stream = io.BufferedReader(BlockStream(blocks), BLOCK_BYTES)
    start = stream.peek(16)
    if start and not start.startswith(_STARTS):
        raise UserError(f"{file.path}: no web archive: it does not begin with WARC/; fill in the sheet's column format")
    for number, record in enumerate(_records(file, stream), 1):
        uri = record.rec_headers.get_header("WARC-Target-URI") or record.rec_headers.get_header("uri") or ""
        found = _document(file, record, f"record {number} ({uri})")
        while record.raw_stream.read(BLOCK_BYTES):
            pass
        if getattr(record.raw_stream, "limit", 0) > 0:
            yield Broken(f"record {number} ({uri})", "cut off: the archive ends within it", "")
        elif found is not None:
            passed_on = [found]
            del found  # it may be tens of megabytes, and the next one is read while this name would hold it
            yield passed_on.pop()
    for _ in blocks:  # to the end, for the checksum
        pass


def _records(file: TextFile, stream: "io.BufferedReader[BlockStream]") -> Iterator[Any]:
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed
    from warcio.statusandheaders import StatusAndHeadersParserException

    records = ArchiveIterator(stream) if stream.peek(1) else iter(())
    number = 0
    while True:
        try:
            with redirect_stderr(io.StringIO()) as warning:
                record = next(records, None)
        except (ArchiveLoadFailed, StatusAndHeadersParserException, EOFError, ValueError, AttributeError) as error:
            reason = " ".join((warning.getvalue() or str(error)).split())
            raise UserError(f"{file.path}: broken after record {number}: {reason}; fetch it again") from None
        if record is None:
            return
        number += 1
        yield record


def _document(file: TextFile, record: Any, position: str) -> str | Broken | None:
    """The text of a record that has one."""
    headers = record.http_headers
    if record.rec_type == "conversion" or (record.rec_type == "resource" and not headers):
        content_type = record.content_type or _PLAIN
    elif record.rec_type == "response" and headers:
        if headers.get_statuscode() != "200":
            file.seen.left_out["answers with a status other than 200"] += 1
            return None
        content_type = headers.get_header("content-type") or ""
    else:
        return None
    media, _, parameters = content_type.partition(";")
    media = media.strip().lower()
    if media not in (*_HTML, _PLAIN):
        file.seen.left_out["answers that are neither HTML nor plain text"] += 1
        return None
    limit = file.settings.maximum_document_bytes
    data = record.content_stream().read(limit + 1)
    if len(data) > limit:
        start = data[:EXCERPT_CHARACTERS].decode("utf-8", "replace")
        return file.too_long(position, TooLong(start, max(record.length or 0, len(data))))
    if not data.strip():
        return None
    text = file.decoded(data, declared=_charset(parameters))
    return as_page(text) if media in _HTML else text


def _charset(parameters: str) -> str:
    """Python's name of the encoding that the header names, or ""."""
    for part in parameters.split(";"):
        key, _, value = part.partition("=")
        if key.strip().lower() == "charset":
            return known_encoding(value.strip(" \"'")) or ""
    return ""
