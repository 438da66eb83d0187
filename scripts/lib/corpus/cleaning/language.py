"""Language identification by the model of py3langid, which comes with the package: nothing is downloaded.

py3langid walks through a text byte by byte in Python. Here, hundreds of texts take each step at once, in NumPy; the
probabilities are the same.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

from lib.settings.corpus import CHINESE

SAMPLES = 3
SAMPLE_CHARACTERS = 100
TEXTS_AT_ONCE = 512


@dataclass(frozen=True)
class Model:
    """An automaton that finds sequences of bytes, and naive Bayes on how often each is found."""

    next_states: npt.NDArray[np.unsignedinteger]
    """By the row of a state and the next byte."""
    rows: npt.NDArray[np.int64]
    """Where the row of each state begins in `next_states`; states share rows."""
    found: npt.NDArray[np.int32]
    """By state, the number of the sequence that ends there, or -1."""
    weights: npt.NDArray[np.float32]
    """By sequence and language."""
    priors: npt.NDArray[np.float32]
    languages: list[str]
    """Codes, of which one that is written in two scripts stands there twice."""


def language_probability(texts: pl.Series, languages: list[str]) -> pl.Series:
    """How likely each text is in one of `languages` (ISO 639 codes), judged by samples from all over it.

    Where only Chinese is wanted, words in Latin script do not count: a manual quotes commands and English terms.
    """
    wanted = set(languages)
    if wanted <= set(CHINESE):
        texts = texts.str.replace_all(r"[\x00-\x7f]+", " ")
    columns = [number for number, language in enumerate(_model().languages) if language in wanted]
    encoded = [_encoded(sample(text)) for text in texts]
    # Those that are about as long walk together, since the longest decides how many steps they take.
    order = sorted(range(len(encoded)), key=lambda row: -len(encoded[row]))
    probabilities = np.empty(len(encoded))
    for start in range(0, len(order), TEXTS_AT_ONCE):
        rows = order[start : start + TEXTS_AT_ONCE]
        probabilities[rows] = _probabilities([encoded[row] for row in rows])[:, columns].sum(axis=1)
    return pl.Series(probabilities)


def sample(text: str) -> str:
    """Pieces from the beginning, the middle and the end of a long text; a short one as it is."""
    if len(text) <= SAMPLES * SAMPLE_CHARACTERS:
        return text
    step = (len(text) - SAMPLE_CHARACTERS) // (SAMPLES - 1)
    return " ".join(text[start : start + SAMPLE_CHARACTERS] for start in range(0, SAMPLES * step, step))


def known_languages() -> set[str]:
    """Codes of the languages that can be told apart."""
    return set(_model().languages)


@cache
def _model() -> Model:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # the model takes 0.4 s to load

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    return Model(
        next_states=np.asarray(identifier.tk_nextmove),
        rows=np.asarray(identifier.tk_row).astype(np.int64) * 256,
        found=np.array(identifier.tk_output, np.int32),
        weights=identifier.nb_ptc.astype(np.float32),
        priors=identifier.nb_pc,
        languages=identifier.nb_classes,
    )


def _encoded(text: str) -> bytes:
    """As the model was trained: composed, and in small letters if there are none in it."""
    return unicodedata.normalize("NFC", text.lower() if text.isupper() else text).encode()


def _probabilities(texts: Sequence[bytes]) -> npt.NDArray[np.float32]:
    """By text and language. The longest text comes first."""
    model = _model()
    found = _sequences(texts)
    found.sort(axis=1)
    # Runs of the same sequence: where each begins, how long it is, whose it is.
    begins = np.ones(found.shape, bool)
    np.not_equal(found[:, 1:], found[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    counts = np.diff(starts, append=found.size)
    sequences = found.ravel()[starts]
    is_found = sequences >= 0
    counts, sequences, owners = counts[is_found], sequences[is_found], starts[is_found] // found.shape[1]
    frequencies = np.log1p(counts.astype(np.float32))
    borders = np.searchsorted(owners, np.arange(len(texts) + 1))

    scores = np.zeros((len(texts), len(model.languages)), np.float32)
    for row, (text, start, end) in enumerate(zip(texts, borders, borders[1:], strict=False)):
        if start < end:  # else all languages are equally likely
            score = frequencies[start:end] @ model.weights[sequences[start:end]] + model.priors
            scores[row] = score / np.float32(np.sqrt(len(text)))
    np.exp(scores - scores.max(axis=1, keepdims=True), out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def _sequences(texts: Sequence[bytes]) -> npt.NDArray[np.int32]:
    """For each text and each of its bytes the sequence that ends there, or -1. The longest text comes first."""
    model = _model()
    lengths = np.array([len(text) for text in texts])
    letters = np.zeros((lengths[0], len(texts)), np.uint8)
    for column, text in enumerate(texts):
        letters[: len(text), column] = np.frombuffer(text, np.uint8)
    found = np.full(letters.shape, -1, np.int32)
    states: npt.NDArray[np.integer] = np.zeros(len(texts), np.int64)
    going_on = len(texts) - np.searchsorted(lengths[::-1], np.arange(lengths[0]), side="right")
    for step, number in enumerate(going_on):
        states = model.next_states[model.rows[states[:number]] + letters[step, :number]]
        found[step, :number] = model.found[states]
    return np.ascontiguousarray(found.T)
