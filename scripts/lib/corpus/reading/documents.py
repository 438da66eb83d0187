"""Documents out of files of every format: texts as they are, what has to be extracted, and archives of both.

Plain or compressed, in whatever encoding.

Everything is read once, from front to back, in pieces; no more than one document is held in memory, and of one that is
longer than the settings allow only the beginning.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lib.core.errors import UserError
from lib.corpus.extraction.mediawiki import articles
from lib.corpus.reading.archives import MAXIMUM_DEPTH, Allowance, read_archive
from lib.corpus.reading.docx import read_docx
from lib.corpus.reading.epub import read_epub
from lib.corpus.reading.pages import as_page
from lib.corpus.reading.pdf import read_pdf
from lib.corpus.reading.subtitles import read_srt
from lib.corpus.reading.translations import read_po
from lib.corpus.reading.warc import read_warc
from lib.files.compression import BLOCK_BYTES
from lib.files.decoding import guess_encoding
from lib.files.formats import ARCHIVES, EXTRACTED, check_format
from lib.files.limits import TooLong
from lib.files.spans import LINES, Span
from lib.files.text_files import Broken, Seen, TextFile, stopping_at_broken
from lib.files.texts import Texts, read_texts, whole
from lib.settings.corpus import ReadingSettings


@dataclass(frozen=True)
class Reading:
    """How the files of a source are read."""

    settings: ReadingSettings
    scratch: Path
    """Folder that archives are unpacked into, which nobody else uses; it is there only meanwhile."""
    text_field: str = ""
    """Field of records that holds the text; "" for the default one."""
    encoding: str = ""
    """Encoding of the files by Python's name; guessed when empty."""
    member_format: str = ""
    """Format of the files in archives; inferred from their names when empty."""


def read_documents(path: Path, file_format: str, seen: Seen, reading: Reading, span: Span | None = None) -> Texts:
    """The documents of one file in order, and the records that cannot be read; fills `seen` on the way.

    With a `span` of a divisible file, those that begin in it. An empty file has no documents.

    Raises UserError with file and line or record when the file as a whole cannot be read, and for any broken record if
    the settings say so.
    """
    check_format(file_format)
    if not span:
        found = _documents(path, file_format, seen, reading)
    elif file_format in LINES:
        file = TextFile(path, seen, reading.settings, reading.encoding or _encoding(path), span)
        found = _placed(read_texts(file, file_format, reading.text_field), span)
    else:
        file = TextFile(path, seen, reading.settings, reading.encoding, span)
        found = read_texts(file, file_format, reading.text_field)
    return stopping_at_broken(found, path, reading.settings)


def _encoding(path: Path) -> str:
    """The encoding of a file that is read in parts, from its beginning; "" where that tells none."""
    with path.open("rb") as file:
        head = file.read(BLOCK_BYTES)
    return "" if head.isascii() else guess_encoding(head)


def _placed(texts: Texts, span: Span) -> Texts:
    """`texts` of lines, which are counted from where the span begins."""
    for text in texts:
        if isinstance(text, Broken) and span.start:
            yield replace(text, position=f"{text.position} from byte {span.start:,} on")
        else:
            passed_on = [text]
            del text
            yield passed_on.pop()


def _documents(
    path: Path, file_format: str, seen: Seen, reading: Reading, allowance: Allowance | None = None, depth: int = 1
) -> Texts:
    file = TextFile(path, seen, reading.settings, reading.encoding)
    if file_format in EXTRACTED:
        return _READERS[file_format](file)
    if file_format not in ARCHIVES:
        return read_texts(file, file_format, reading.text_field)
    if depth > MAXIMUM_DEPTH:
        raise UserError(f"{path}: more than {MAXIMUM_DEPTH} archives within each other; unpack it first")
    shared = allowance or Allowance.of(file)
    inner = replace(reading, scratch=reading.scratch / "archive")

    def read(member: Path, member_format: str, member_seen: Seen) -> Texts:
        return _documents(member, member_format, member_seen, inner, shared, depth + 1)

    return read_archive(file, file_format, reading.member_format, reading.scratch, shared, read)


def _read_html(file: TextFile) -> Texts:
    """The file is a page."""
    for text in whole(file):
        yield as_page(text) if isinstance(text, str) else text


def _read_mediawiki(file: TextFile) -> Texts:
    """Every article of a dump is a document: its title, then its text."""
    limit = file.settings.maximum_document_bytes
    for number, (title, text, too_long) in enumerate(
        articles(file.pieces(), str(file.path), limit, file.seen.left_out), 1
    ):
        position = f"article {number} ({title})"
        yield file.too_long(position, TooLong(text, too_long)) if too_long else file.checked(position, text)


_READERS: dict[str, Callable[[TextFile], Texts]] = dict(
    zip(
        EXTRACTED,
        (_read_html, _read_mediawiki, read_warc, read_epub, read_docx, read_pdf, read_srt, read_po),
        strict=True,
    )
)
