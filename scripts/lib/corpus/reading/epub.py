"""Chapters of electronic books (EPUB 2 and 3): the pages in the order of the spine.

The library ebooklib reads them, too, but is under the AGPL; this project is under the Apache licence.
"""

import posixpath
import zipfile
from urllib.parse import unquote
from xml.etree import ElementTree

from lib.core.outputs import sha256_file
from lib.corpus.reading.pages import as_page
from lib.corpus.reading.zip_archive import Unreadable, opened, read_part
from lib.files.limits import TooLong
from lib.files.text_files import Broken, TextFile
from lib.files.texts import Texts

_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


def read_epub(file: TextFile) -> Texts:
    """Every chapter of the book is a page. The table of contents is left out; encrypted chapters are broken records."""
    try:
        with opened(file.path) as book:
            encrypted = _encrypted(book, file.settings.maximum_document_bytes)
            for number, name in enumerate(_spine(book, file.settings.maximum_document_bytes), 1):
                position = f"chapter {number} ({name})"
                if name in encrypted:
                    yield Broken(position, "encrypted (DRM)", "")
                    continue
                try:
                    data = read_part(book, name, file.settings.maximum_document_bytes)
                except Unreadable as error:
                    yield Broken(position, str(error), "")
                    continue
                yield file.too_long(position, data) if isinstance(data, TooLong) else as_page(file.decoded(data))
    except Unreadable as error:
        yield Broken("the book", str(error), "")
    file.seen.sha256 = sha256_file(file.path)


def _spine(book: zipfile.ZipFile, limit: int) -> list[str]:
    """Names of the files with the chapters, in order."""
    container = _xml(book, "META-INF/container.xml", limit)
    package = next((element.get("full-path", "") for element in container.iterfind(".//{*}rootfile")), "")
    root = _xml(book, package, limit)
    items = {
        item.get("id"): posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(item.get("href", ""))))
        for item in root.iterfind("{*}manifest/{*}item")
        if item.get("media-type") in _PAGES and "nav" not in item.get("properties", "").split()
    }
    chapters = [items[id] for one in root.iterfind("{*}spine/{*}itemref") if (id := one.get("idref")) in items]
    if not chapters:
        raise Unreadable(f"{package} names no chapters")
    return chapters


def _encrypted(book: zipfile.ZipFile, limit: int) -> set[str]:
    """Names of encrypted files."""
    name = "META-INF/encryption.xml"
    if name not in book.namelist():
        return set()
    return {unquote(found.get("URI", "")) for found in _xml(book, name, limit).iterfind(".//{*}CipherReference")}


def _xml(book: zipfile.ZipFile, name: str, limit: int) -> ElementTree.Element:
    data = read_part(book, name, limit)
    if isinstance(data, TooLong):
        raise Unreadable(f"{name} has {data.bytes:,} bytes")
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise Unreadable(f"{name} is no XML ({error})") from None
