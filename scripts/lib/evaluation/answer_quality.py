"""How good generated answers are: close to the given ones, ended, without repetition, in the wanted script.

chrF is sacrebleu's (M. Popović, chrF: character n-gram F-score for automatic MT evaluation, WMT 2015), ROUGE-L the F1
score of the longest common subsequence (C.-Y. Lin, ROUGE, 2004), here of characters, since Chinese has no words that
every tokenizer agrees on.
"""

import unicodedata
from collections.abc import Iterator, Sequence

import polars as pl
from rapidfuzz.distance import LCSseq
from sacrebleu.metrics.chrf import CHRF

from lib.chat.answers import Continuation
from lib.evaluation.items import Item
from lib.evaluation.scorer import HeldOutExample
from lib.text.scripts import ANY_SCRIPT, script_pattern

REPEATED_CHARACTERS = 8
"""Length of what counts as repeated when it occurs again: four words of Chinese, a word or two of English."""


def answer_items(
    examples: Sequence[HeldOutExample], answers: Sequence[Continuation], end: str, script: str
) -> Iterator[Item]:
    """The items of every `answer_…` figure; `end` is the token that ends a response, `script` the wanted one."""
    shares = script_shares([answer.text for answer in answers], script) if script != ANY_SCRIPT else []
    for number, (example, answer) in enumerate(zip(examples, answers, strict=True)):
        reference = example.response.removesuffix(end).strip()
        figures = {
            "chrf": chrf(answer.text, reference),
            "rouge_l": rouge_l(answer.text, reference),
            "ended": float(answer.ended),
            "repetition": repetition(answer.text),
        }
        if example.is_short:
            figures["exact_match"] = float(comparable(answer.text) == comparable(reference))
        if shares:
            figures["in_script"] = shares[number]
        for name, value in figures.items():
            yield Item(f"answer_{name}", example.category, example.id, value)


def chrf(answer: str, reference: str) -> float:
    """chrF of an answer, 0 to 100: character n-grams of up to 6, recall counted twice, spaces left out."""
    return float(CHRF().sentence_score(answer, [reference]).score)


def rouge_l(answer: str, reference: str) -> float:
    """ROUGE-L of an answer, 0 to 100: F1 of the longest common subsequence of characters."""
    length = len(answer) + len(reference)
    return 100 * 2 * LCSseq.similarity(answer, reference) / length if length else 100.0


def repetition(answer: str) -> float:
    """Share of an answer's stretches of `REPEATED_CHARACTERS` that occurred before in it."""
    number = len(answer) - REPEATED_CHARACTERS + 1
    if number < 1:
        return 0.0
    return 1 - len({answer[start : start + REPEATED_CHARACTERS] for start in range(number)}) / number


def script_shares(answers: Sequence[str], script: str) -> list[float]:
    """Share of each answer's letters that are in the script: 1 without letters, 0 for no answer at all."""
    texts = pl.Series(answers, dtype=pl.String).str.replace_all(r"\P{L}", "")
    wanted = texts.str.count_matches(script_pattern(script))
    counts = zip(answers, wanted, texts.str.len_chars(), strict=True)
    return [(share / letters if letters else 1.0) if answer else 0.0 for answer, share, letters in counts]


def comparable(answer: str) -> str:
    """A short answer without what does not matter: width, case, spaces, punctuation around it."""
    text = "".join(unicodedata.normalize("NFKC", answer).casefold().split())
    return text.strip("".join({character for character in text if unicodedata.category(character)[0] == "P"}))
