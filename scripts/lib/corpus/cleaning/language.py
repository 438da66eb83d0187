"""Language identification by the model of py3langid, which comes with the package: nothing is downloaded.

py3langid walks through a text byte by byte in Python. Here, hundreds of texts take each step at once, in NumPy; the
probabilities are the same. Where Chinese is wanted, texts with many words that only Chinese has are not asked about,
which is nearly all Chinese prose.
"""

import lzma
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lib.settings.corpus import CHINESE

SAMPLES = 3
SAMPLE_CHARACTERS = 100
TEXTS_AT_ONCE = 512

_CHINESE_WORDS = "这這们們么麼吗嗎呢吧你您她它很那哪怎沒说說让讓给給对對还還样樣为时过个间"
"""Words of grammar that Japanese does not write so, and simplified forms of frequent characters that it shares."""
_CHINESE_SHARE = 0.01
"""Minimum share of these among a text's characters. Of 12,347 reviews and news 97 % have it, of 1,492 manual pages in
Chinese 94 %; of 3,057 in Japanese none, nor of what is left of 366 of these without their lines in kana."""
_KANA = r"[\p{Hiragana}\p{Katakana}]"


@dataclass(frozen=True)
class Model:
    """An automaton that finds sequences of bytes, and naive Bayes on how often each is found."""

    next_states: npt.NDArray[np.unsignedinteger]
    """By the row of a state and the next byte."""
    rows: npt.NDArray[np.int64]
    """Where the row of each state begins in `next_states`; states share rows."""
    found: npt.NDArray[np.int32]
    """By state, the number of the sequence that ends there, or -1."""
    weights: npt.NDArray[np.float16]
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
    samples = pl.Series([sample(text) for text in texts], dtype=pl.String)
    probabilities = np.ones(len(samples))
    doubtful = ~_are_plainly_chinese(samples) if wanted >= set(CHINESE) else pl.repeat(True, len(samples), eager=True)
    probabilities[doubtful.to_numpy()] = _asked(samples.filter(doubtful), wanted)
    return pl.Series(probabilities)


def _are_plainly_chinese(samples: pl.Series) -> pl.Series:
    words = samples.str.count_matches(f"[{_CHINESE_WORDS}]")
    return (words > _CHINESE_SHARE * samples.str.len_chars()) & ~samples.str.contains(_KANA)


def _asked(samples: pl.Series, wanted: set[str]) -> npt.NDArray[np.float64]:
    """The model's probabilities that samples are in one of the languages `wanted`."""
    probabilities = np.empty(len(samples))
    if samples.is_empty():
        return probabilities
    columns = [number for number, language in enumerate(_model().languages) if language in wanted]
    encoded = [_encoded(text) for text in samples]
    # Those that are about as long walk together, since the longest decides how many steps they take.
    order = sorted(range(len(encoded)), key=lambda row: -len(encoded[row]))
    for start in range(0, len(order), TEXTS_AT_ONCE):
        rows = order[start : start + TEXTS_AT_ONCE]
        probabilities[rows] = _probabilities([encoded[row] for row in rows])[:, columns].sum(axis=1)
    return probabilities


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
    arrays = _arrays()
    return Model(
        next_states=arrays["nextmove"],
        rows=arrays["nextmove_row"].astype(np.int64) * 256,
        found=arrays["out_feat"],
        weights=arrays["ptc"],
        priors=arrays["pc"],
        languages=arrays["classes"].tolist(),
    )


def _arrays() -> dict[str, npt.NDArray[Any]]:
    """The package's file, without the lists and the temporary file that its own reader makes of it."""
    from py3langid.langid import MODEL_DIR, MODEL_FILE

    content = BytesIO(lzma.decompress((MODEL_DIR / MODEL_FILE).read_bytes()))
    with np.load(content, allow_pickle=False) as file:
        return dict(file)


def _encoded(text: str) -> bytes:
    """As the model was trained: composed, and in small letters if there are none in it."""
    return unicodedata.normalize("NFC", text.lower() if text.isupper() else text).encode()


def _probabilities(texts: Sequence[bytes]) -> npt.NDArray[np.float32]:
    """By text and language. The longest text comes first."""
    model = _model()
    found = _sequences(texts)
    found.sort(axis=1)
    # Runs of the same sequence: where each begins, how long it is; and at which run each text begins.
    begins = np.ones(found.shape, bool)
    np.not_equal(found[:, 1:], found[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    frequencies = np.log1p(np.diff(starts, append=found.size).astype(np.float32))
    sequences = found.ravel()[starts].astype(np.intp)
    borders = np.searchsorted(starts, np.arange(len(texts) + 1) * found.shape[1])
    firsts = borders[:-1] + (sequences[borders[:-1]] < 0)  # bytes at which none ends come before all others

    scores = np.zeros((len(texts), len(model.languages)), np.float32)
    for row, (text, start, end) in enumerate(zip(texts, firsts.tolist(), borders[1:].tolist(), strict=True)):
        if start < end:  # else all languages are equally likely
            score = frequencies[start:end] @ model.weights[sequences[start:end]].astype(np.float32) + model.priors
            scores[row] = score / np.float32(np.sqrt(len(text)))
    np.exp(scores - scores.max(axis=1, keepdims=True), out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def _sequences(texts: Sequence[bytes]) -> npt.NDArray[np.int32]:
    """For each text and each of its bytes the sequence that ends there, or -1. The longest text comes first."""
    model = _model()
    lengths = np.array([len(text) for text in texts])
    letters = np.zeros((max(lengths[0], 1), len(texts)), np.uint8)
    for column, text in enumerate(texts):
        letters[: len(text), column] = np.frombuffer(text, np.uint8)
    # The first state is one at which no sequence ends; those that have ended stay in it.
    visited: npt.NDArray[np.unsignedinteger] = np.zeros(letters.shape, model.next_states.dtype)
    states: npt.NDArray[np.unsignedinteger] = np.zeros(len(texts), visited.dtype)
    going_on = len(texts) - np.searchsorted(lengths[::-1], np.arange(lengths[0]), side="right")
    for step, number in enumerate(going_on.tolist()):
        states = model.next_states.take(model.rows.take(states[:number]) + letters[step, :number])
        visited[step, :number] = states
    return model.found.take(visited.T)
