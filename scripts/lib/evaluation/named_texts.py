"""Texts that the settings name by the address of a file: prompts, control text."""

from collections.abc import Iterator
from pathlib import Path

from lib.core.errors import UserError, about
from lib.core.program import say
from lib.files.formats import TEXTS, choose_formats
from lib.files.text_files import Broken, Seen, TextFile, stopping_at_broken
from lib.files.texts import read_texts
from lib.settings.corpus import ReadingSettings
from lib.sources.data_sets import ALL
from lib.sources.listing import fetched_source_files, shown_name


def named_texts(
    key: str, uri: str, downloads: Path, settings: ReadingSettings, text_field: str = "", plain: str = "txt"
) -> Iterator[str]:
    """The texts of every file at `uri`, which the setting `key` names.

    `text_field` names the field of records that holds the text, `plain` is the format in which plain text is read.
    Broken records are left out and named on standard output. Raises UserError when a file cannot be read or none holds
    text.
    """
    number = 0
    with about(f"settings: {key}"), fetched_source_files(uri, downloads, "", ALL) as files:
        formats, _ = choose_formats(list(files), uri, "", TEXTS)
        for name, file_format in formats.items():
            path, seen, shown = Path(files[name]), Seen(), shown_name(uri, name, files[name], downloads)
            chosen = plain if file_format == "txt" else file_format
            texts = read_texts(TextFile(path, seen, settings), chosen, text_field)
            for found in stopping_at_broken(texts, path, settings):
                if isinstance(found, Broken):
                    say(f"evaluation: {key}: left out: {shown}, {found.position}: {found.reason}")
                elif found.strip():
                    number += 1
                    yield found
            if seen.undecodable_bytes:
                say(f"evaluation: {key}: {shown}: {seen.undecodable_bytes:,} undecodable bytes")
        if not number:
            raise UserError(f"{uri} holds no text that can be read; name another file, or leave the key out")
