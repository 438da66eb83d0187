"""Documents out of files of every format: texts as they are, and HTML and MediaWiki dumps.

Plain or compressed, in whatever encoding.

Everything is read once, from front to back, in pieces; no more than one document is held in memory, and of one that is
longer than the settings allow only the beginning.
"""

from collections.abc import Callable
from pathlib import Path

from lib.corpus.extraction.html_page import is_page
from lib.corpus.extraction.mediawiki import articles
from lib.files.formats import MARKUP, check_format
from lib.files.limits import TooLong
from lib.files.text_files import Seen, TextFile, stopping_at_broken
from lib.files.texts import Texts, read_texts, whole
from lib.settings.corpus import ReadingSettings


def read_documents(path: Path, file_format: str, text_field: str, seen: Seen, settings: ReadingSettings) -> Texts:
    """The documents of one file in order, and the records that cannot be read; fills `seen` on the way.

    `text_field` names the field of records that holds the text ("" for the default one). An empty file has no
    documents. Raises UserError with file and line or record when the file as a whole cannot be read, and for any broken
    record if the settings say so.
    """
    check_format(file_format)
    file = TextFile(path, seen, settings)
    documents = _READERS[file_format](file) if file_format in MARKUP else read_texts(file, file_format, text_field)
    return stopping_at_broken(documents, path, settings)


def _read_html(file: TextFile) -> Texts:
    """The file is a page. Its main text is taken by the cleaning step strip_html, in parallel."""
    for text in whole(file):
        is_bare = isinstance(text, str) and not is_page(text)
        yield f"<!doctype html>\n{text}" if is_bare else text


def _read_mediawiki(file: TextFile) -> Texts:
    """Every article of a dump is a document: its title, then its text."""
    limit = file.settings.maximum_document_bytes
    for number, (title, text, too_long) in enumerate(
        articles(file.pieces(), str(file.path), limit, file.seen.left_out), 1
    ):
        position = f"article {number} ({title})"
        yield file.too_long(position, TooLong(text, too_long)) if too_long else file.checked(position, text)


_READERS: dict[str, Callable[[TextFile], Texts]] = dict(zip(MARKUP, (_read_html, _read_mediawiki), strict=True))
