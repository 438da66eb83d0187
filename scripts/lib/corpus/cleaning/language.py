"""Language identification by py3langid, whose model comes with the package: nothing is downloaded."""

from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from lib.settings.corpus import CHINESE

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SAMPLES = 3
SAMPLE_CHARACTERS = 100


def language_probability(texts: pl.Series, languages: list[str]) -> pl.Series:
    """How likely each text is in one of `languages` (ISO 639 codes), judged by samples from all over it.

    Where only Chinese is wanted, words in Latin script do not count: a manual quotes commands and English terms.
    """
    wanted = set(languages)
    if wanted <= set(CHINESE):
        texts = texts.str.replace_all(r"[\x00-\x7f]+", " ")
    return pl.Series(
        [
            sum(probability for language, probability in _identifier().rank(sample(text)) if language in wanted)
            for text in texts
        ],
        dtype=pl.Float64,
    )


def sample(text: str) -> str:
    """Pieces from the beginning, the middle and the end of a long text; a short one as it is."""
    if len(text) <= SAMPLES * SAMPLE_CHARACTERS:
        return text
    step = (len(text) - SAMPLE_CHARACTERS) // (SAMPLES - 1)
    return " ".join(text[start : start + SAMPLE_CHARACTERS] for start in range(0, SAMPLES * step, step))


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # the model takes 0.4 s to load

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def known_languages() -> set[str]:
    """Codes of the languages that can be told apart."""
    return set(_identifier().labels)
