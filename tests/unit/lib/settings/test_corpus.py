"""Settings of a source of text."""

import polars as pl

from lib.corpus.cleaning.clean import clean
from lib.settings.corpus import CorpusSettings

UNCLEAN = ("<p>&lt;a&gt;</p>", "　ＡＢ  c\n\n\n\nc", "！！！！", "13912345678", "\ufffd" * 9, "a", "が" * 50)


def test_what_is_clean_already_is_not_touched() -> None:
    settings = CorpusSettings(clean=False)
    documents = pl.DataFrame({"id": [str(number) for number in range(len(UNCLEAN))], "text": UNCLEAN})
    cleaned = clean(documents, settings.of_source({}))
    assert tuple(cleaned.kept["text"]) == UNCLEAN
    assert not settings.of_source({}).strip_shared_lines


def test_a_source_can_be_clean_among_others() -> None:
    settings = CorpusSettings(minimum_length=7)
    assert settings.of_source({"clean": False}).minimum_length == 1
    assert settings.of_source({"mask_email": False}).minimum_length == 7
    assert not settings.of_source({"mask_email": False}).mask_email
    assert CorpusSettings(clean=False).of_source({"clean": True}).strip_html
