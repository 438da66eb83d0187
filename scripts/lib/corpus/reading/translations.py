"""Translations of programs and manuals (gettext, .po)."""

from lib.files.limits import EXCERPT_CHARACTERS, TooLong
from lib.files.text_files import Broken, TextFile
from lib.files.texts import Texts


def read_po(file: TextFile) -> Texts:
    """The finished translations together are a document, each on lines of its own; the originals are left out."""
    import polib

    text = file.whole()
    if isinstance(text, TooLong):
        yield file.too_long("the file", text)
        return
    if not text.strip():
        return
    try:
        entries = polib.pofile(f"{text}\n")  # a text with a line break is no path to polib
    except (OSError, ValueError) as error:
        yield Broken("the file", str(error), text[:EXCERPT_CHARACTERS])
        return
    translated = entries.translated_entries()
    left_out = sum(not entry.obsolete for entry in entries) - len(translated)
    if left_out:
        file.seen.left_out["entries that are fuzzy or not translated"] += left_out
    lines = [line for entry in translated for line in (entry.msgstr_plural.values() or [entry.msgstr])]
    if lines:
        yield file.checked("the file", "\n".join(lines))
