"""The text layer of PDF files, by PDFium."""

import re

from lib.core.outputs import sha256_file
from lib.files.decoding import valid_text
from lib.files.limits import Collector, TooLong
from lib.files.text_files import Broken, TextFile
from lib.files.texts import Texts

_HYPHEN = re.compile("[\ufffe\x02]\n?")  # PDFium's signs for a hyphen that divides a word at the end of a line


def read_pdf(file: TextFile) -> Texts:
    """All pages together are a document. Scans without a text layer and encrypted files are broken records."""
    import pypdfium2

    if not file.path.stat().st_size:
        return
    collector = Collector(file.settings.maximum_document_bytes)
    pages, reason = 0, ""
    try:
        with pypdfium2.PdfDocument(file.path) as document:
            for index in range(len(document)):
                page = document[index]
                text_page = page.get_textpage()
                text = text_page.get_text_bounded().replace("\r\n", "\n").replace("\r", "\n")
                collector.add(_HYPHEN.sub("", valid_text(text)))
                collector.add("\n")
                text_page.close()
                page.close()
                pages += 1
    except pypdfium2.PdfiumError as error:
        reason = f"{error}, at page {pages + 1}"
    blank = collector.is_blank()
    text = collector.take()
    if reason:
        yield Broken("the file", reason, "")
    elif isinstance(text, TooLong):
        yield file.too_long("the file", text)
    elif blank:
        yield Broken("the file", f"no text layer on {pages:,} pages; recognise the text first, with ocrmypdf", "")
    else:
        yield text
    file.seen.encoding, file.seen.sha256 = "utf-8", sha256_file(file.path)
