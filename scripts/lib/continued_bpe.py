"""Extend a byte-level BPE tokenizer by continuing its own training on new text.

Appending a separately learned vocabulary leaves tokens that the base's merges can never reach. Here the
base tokenizer segments the text first, every base token becomes one private character, and the `tokenizers`
trainer learns further merges over those characters. Translated back, they are merges over base tokens: the
base's merges run first, exactly as before, and the new ones go on from there.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, repeat

from tokenizers import Tokenizer, models, trainers

from lib.errors import UserError

FIRST_PRIVATE_CODEPOINT = 0x10000  # above the surrogates: token id i becomes chr(0x10000 + i), up to a million ids
TRAINER_BATCH = 10_000
SURPLUS = 1.1  # train for this many times the tokens asked for, since some candidates are refused


@dataclass(frozen=True)
class Merge:
    """One new merge rule over token strings; `left + right` is the token it makes."""

    left: str
    right: str

    @property
    def token(self) -> str:
        return self.left + self.right


def check_extensible(tokenizer: Tokenizer) -> None:
    """Raise UserError unless `tokenizer` is a byte-level BPE, the kind whose training can be continued here."""
    description = json.loads(tokenizer.to_str())
    model = description["model"]
    if model["type"] != "BPE":
        raise UserError(
            f"the base tokenizer is a {model['type']} model; only BPE can be extended. "
            "Set tokenizer.new_tokens to 0 to keep it as it is."
        )
    if "ByteLevel" not in json.dumps(description["pre_tokenizer"]):
        raise UserError(
            "the base tokenizer is not byte-level (SentencePiece style); only byte-level BPE can be extended. "
            "Set tokenizer.new_tokens to 0 to keep it as it is."
        )


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    """The strings, in the model's own alphabet, that `tokenizer` would hand to its BPE model one by one."""
    if tokenizer.normalizer is not None:
        text = tokenizer.normalizer.normalize_str(text)
    return [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


def count_pieces(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[str]:
    """How often each distinct piece stands in `texts`. Memory grows with the number of distinct pieces."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(pieces(tokenizer, text))
    return counts


def learn_merges(
    tokenizer: Tokenizer,
    piece_counts: Counter[str],
    new_tokens: int,
    *,
    minimum_frequency: int = 2,
    maximum_length: int = 16,
    keep_ascii: bool = True,
) -> list[Merge]:
    """Learn merges that add up to `new_tokens` tokens to `tokenizer`, most valuable first.

    `maximum_length` bounds a token in characters of text. With `keep_ascii`, a token of ASCII characters alone
    never takes part in a new merge, so that text in plain English is segmented exactly as before.
    Fewer merges come back when the text does not hold that many pairs of `minimum_frequency`.
    """
    vocabulary = tokenizer.get_vocab(with_added_tokens=False)
    token_of = {token_id: token for token, token_id in vocabulary.items()}
    runs = _count_runs(tokenizer, piece_counts, keep_ascii)
    alphabet = sorted(set("".join(runs)))
    private = Tokenizer(models.BPE())
    private.train_from_iterator(
        _batches(runs),
        trainers.BpeTrainer(
            vocab_size=len(alphabet) + int(new_tokens * SURPLUS) + 100,
            min_frequency=minimum_frequency,
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )

    def translate(private_text: str) -> str:
        return "".join(token_of[ord(character) - FIRST_PRIVATE_CODEPOINT] for character in private_text)

    merges: list[Merge] = []
    known = set(vocabulary)
    made: set[str] = set()
    refused: set[str] = set()  # private strings that no later merge may build on
    for private_left, private_right in json.loads(private.to_str())["model"]["merges"]:
        merge = Merge(translate(private_left), translate(private_right))
        blocked = private_left in refused or private_right in refused
        if blocked or merge.token in known or _length(merge.token) > maximum_length:
            refused.add(private_left + private_right)
            continue
        if merge.token not in made and len(made) == new_tokens:
            break
        made.add(merge.token)
        merges.append(merge)
    return merges


def extend(tokenizer: Tokenizer, merges: list[Merge]) -> Tokenizer:
    """A copy of `tokenizer` with `merges` behind its own. Ids of the base keep their meaning; new ids follow them."""
    description = json.loads(tokenizer.to_str())
    model = description["model"]
    next_id = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    for merge in merges:
        if merge.token not in model["vocab"]:
            model["vocab"][merge.token] = next_id
            next_id += 1
        model["merges"].append([merge.left, merge.right])
    return Tokenizer.from_str(json.dumps(description))


def constituents(base: Tokenizer, extended: Tokenizer) -> dict[int, list[int]]:
    """For each id that only `extended` has, the base ids that the same string takes, in order."""
    base_vocabulary = base.get_vocab()
    return {
        token_id: [token.id for token in base.model.tokenize(token)]
        for token, token_id in sorted(extended.get_vocab().items(), key=lambda item: item[1])
        if token not in base_vocabulary
    }


def _count_runs(tokenizer: Tokenizer, piece_counts: Counter[str], keep_ascii: bool) -> Counter[str]:
    """Pieces as strings of private characters, cut wherever a token may not take part in a merge."""
    runs: Counter[str] = Counter()
    for piece, count in sorted(piece_counts.items()):
        run: list[str] = []
        for token in tokenizer.model.tokenize(piece):
            if keep_ascii and _is_ascii(token.value):
                _add_run(runs, run, count)
                run = []
            else:
                run.append(chr(FIRST_PRIVATE_CODEPOINT + token.id))
        _add_run(runs, run, count)
    return runs


def _add_run(runs: Counter[str], run: list[str], count: int) -> None:
    if len(run) > 1:
        runs["".join(run)] += count


def _is_ascii(token: str) -> bool:
    """Whether a token in the byte-level alphabet stands for ASCII bytes alone (there, Ġ is a space, Ċ a line break)."""
    return all(character.isascii() or "Ā" <= character <= "Ġ" for character in token)


def _length(token: str) -> int:
    """Length of a token in characters of text: bytes that do not continue a UTF-8 sequence."""
    return sum(1 for character in token if not 0x80 <= _BYTES[character] < 0xC0)


def _byte_alphabet() -> dict[str, int]:
    """The byte that each character of the byte-level alphabet stands for (GPT-2's printable mapping)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTES = _byte_alphabet()


def _batches(runs: Counter[str]) -> Iterator[list[str]]:
    every = chain.from_iterable(repeat(run, count) for run, count in sorted(runs.items()))
    while batch := list(islice(every, TRAINER_BATCH)):
        yield batch
