"""A tokenizer as the fields `tokenizer.*` of a GGUF file, by which llama.cpp cuts text.

llama.cpp has its own code for each way to cut text and knows it by name. A byte-level tokenizer is written with its
merges; one of SentencePiece's kind with scores, of which the order alone matters.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gguf import GGUFWriter, TokenType
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from lib.base_model.gguf_pre_tokenizers import PATTERNS, SINGLE_DIGITS, TOKENS_FIRST, pre_tokenizer
from lib.core.errors import UserError
from lib.tokenizer.leading_marks import MARKED

BYTE = re.compile(r"<0x[0-9A-F]{2}>")
ESCAPES = (
    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    # A space at the begin of a text is one more than the one that is put before it.
    {"type": "Replace", "pattern": {"Regex": r"\A▁"}, "content": "▁▁"},
)
"""Steps by which SentencePiece's tokenizers write spaces, as llama.cpp does, too."""
PREFERRED = ("smollm", "gpt-2", "llama-bpe", "dbrx", "qwen2")
"""Of several names that stand for the same way to cut text, those that llama.cpp attaches nothing else to."""

Description = Mapping[str, Any]
"""The content of a tokenizer.json."""


@dataclass(frozen=True)
class Vocabulary:
    """What llama.cpp is told about a tokenizer."""

    model: str
    """`gpt2` for byte-level BPE, `llama` for SentencePiece's."""
    pre: str
    """Name of the way in which text is cut before merging."""
    tokens: Sequence[str]
    """By id, one for each row of the embedding."""
    kinds: Sequence[TokenType]
    merges: Sequence[str]
    """Pairs in the order of merging; none for `llama`."""
    scores: Sequence[float]
    """By id, the higher the earlier a token is merged; none for `gpt2`."""
    special: Mapping[str, int]
    """Ids by the names that GGUF has for them: bos, eos, eot, unk, pad."""
    begins: bool
    """Whether text begins with the token bos."""
    ends: bool
    """Whether text ends with the token eos."""
    space_before: bool
    """Whether a space is put before text."""
    chat_template: str | None

    def write(self, writer: GGUFWriter) -> None:
        """Add the fields to a file that is being written."""
        writer.add_tokenizer_model(self.model)
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.kinds)
        if self.merges:
            writer.add_token_merges(self.merges)
        if self.scores:
            writer.add_token_scores(self.scores)
        for name, number in self.special.items():
            getattr(writer, f"add_{name}_token_id")(number)
        writer.add_add_bos_token(self.begins)
        writer.add_add_eos_token(self.ends)
        writer.add_add_space_prefix(self.space_before)
        if self.chat_template:
            writer.add_chat_template(self.chat_template)


def vocabulary_of(tokenizer: PreTrainedTokenizerFast, rows: int, ends: Sequence[int]) -> Vocabulary:
    """The fields for `tokenizer`, of a model whose embedding has as many `rows` and whose answers end with `ends`.

    Raises UserError, with the reason, for a tokenizer that llama.cpp would read text otherwise with.
    """
    description = json.loads(tokenizer.backend_tokenizer.to_str())
    model = description["model"]
    if model["type"] != "BPE":
        raise UserError(f"GGUF is written for tokenizers of the kind BPE, not {model['type']}")
    scored = bool(model["byte_fallback"])
    tokens, kinds = _tokens(tokenizer, description, rows)
    begin, end = _around(tokenizer)
    special = {
        name: number
        for name, number in (
            ("bos", tokenizer.bos_token_id if begin is None else begin),
            ("eos", tokenizer.eos_token_id),
            ("eot", next((number for number in ends if number != tokenizer.eos_token_id), None)),
            ("unk", tokenizer.unk_token_id),
            ("pad", tokenizer.pad_token_id),
        )
        if number is not None
    }
    return Vocabulary(
        model="llama" if scored else "gpt2",
        pre="default" if scored else name_of_cuts(description),
        tokens=tokens,
        kinds=kinds,
        merges=[] if scored else [" ".join(pair) for pair in _merges(model)],
        scores=_scores(tokens, kinds, _merges(model)) if scored else [],
        special=special,
        begins=begin is not None,
        ends=end is not None,
        space_before=_puts_space_before(description) if scored else False,
        chat_template=tokenizer.chat_template,
    )


def name_of_cuts(description: Description) -> str:
    """llama.cpp's name for the way in which a byte-level tokenizer cuts text.

    Raises UserError when it has none.
    """
    if not {step["type"] for step in _steps(description["normalizer"])} <= {"NFC"}:
        raise UserError("llama.cpp does not know the tokenizer's normalizer, so it would read text otherwise")
    wanted, first = _cuts(description["pre_tokenizer"]), bool(description["model"].get("ignore_merges"))
    names = [name for name in PATTERNS if (name in TOKENS_FIRST) == first and _cuts_of(name) == wanted]
    if not names:
        raise UserError(f"llama.cpp knows no pre-tokenizer that cuts text as this tokenizer does{_reason(description)}")
    return next((name for name in PREFERRED if name in names), names[0])


def _reason(description: Description) -> str:
    patterns = [step.get("pattern", {}).get("Regex", "") for step in _steps(description["pre_tokenizer"])]
    if any(pattern.startswith(MARKED) for pattern in patterns):
        return "; it keeps punctuation with the letters behind it: set tokenizer.leading_marks: false and train again"
    others = _cuts(description["pre_tokenizer"])[1:]
    if any(_cuts_of(name) == others for name in PATTERNS):
        return "; it cuts the terms of tokenizer.words out of the text: leave them out and train again"
    return "; take another base model, or serve the safetensors"


def _steps(step: Description | None) -> Iterator[Description]:
    """A normalizer or pre-tokenizer step by step, without the sequences around them."""
    if step is None:
        return
    inner = step.get("pretokenizers") or step.get("normalizers")
    if inner is None:
        yield step
    for each in inner or ():
        yield from _steps(each)


def _cuts(step: Description | None) -> list[tuple[object, ...]]:
    """What a pre-tokenizer does, without what changes no ids."""
    found: list[tuple[object, ...]] = []
    for each in _steps(step):
        match each:
            case {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}:
                is_digit = pattern == {"Regex": SINGLE_DIGITS}
                found.append(("Digits", True) if is_digit else ("Split", *pattern.items(), behavior, invert))
            case {"type": "Digits", "individual_digits": single}:
                found.append(("Digits", single))
            case {"type": "ByteLevel", "add_prefix_space": space, "use_regex": pattern}:
                found.append(("ByteLevel", space, pattern))
            case other:
                found.append((json.dumps(other, sort_keys=True),))
    return found


def _cuts_of(name: str) -> list[tuple[object, ...]]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer(name)
    return _cuts(json.loads(tokenizer.to_str())["pre_tokenizer"])


def _puts_space_before(description: Description) -> bool:
    """Whether a SentencePiece tokenizer puts a space before text; UserError for one that does more than that."""
    before = False
    for step in (*_steps(description["normalizer"]), *_steps(description["pre_tokenizer"])):
        match step:
            case {"type": "Prepend", "prepend": "▁"}:
                before = True
            case {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme}:
                before = scheme != "never"
            case _ if step not in ESCAPES:
                raise UserError(
                    f"llama.cpp has nothing like the tokenizer's step {step['type']}; serve the safetensors"
                )
    return before


def _tokens(
    tokenizer: PreTrainedTokenizerFast, description: Description, rows: int
) -> tuple[list[str], list[TokenType]]:
    tokens, kinds = [f"[UNUSED_{number}]" for number in range(rows)], [TokenType.UNUSED] * rows
    bytes_too = description["model"]["byte_fallback"]
    for token, number in tokenizer.backend_tokenizer.get_vocab(with_added_tokens=True).items():
        tokens[number] = token
        kinds[number] = TokenType.BYTE if bytes_too and BYTE.fullmatch(token) else TokenType.NORMAL
    for added in description["added_tokens"]:
        kinds[added["id"]] = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
    if bytes_too and tokenizer.unk_token_id is not None:
        kinds[tokenizer.unk_token_id] = TokenType.UNKNOWN
    return tokens, kinds


def _merges(model: Description) -> list[tuple[str, str]]:
    return [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in model["merges"]]


def _scores(tokens: Sequence[str], kinds: Sequence[TokenType], merges: Sequence[tuple[str, str]]) -> list[float]:
    """The order of merging as scores: llama.cpp merges what makes the token of the highest score first."""
    ranks: dict[str, int] = {}
    for rank, (left, right) in enumerate(merges):
        ranks.setdefault(left + right, rank)
    return [
        -float(ranks.get(token, len(merges))) if kind == TokenType.NORMAL else 0.0
        for token, kind in zip(tokens, kinds, strict=True)
    ]


def _around(tokenizer: PreTrainedTokenizerFast) -> tuple[int | None, int | None]:
    """The tokens put before and behind every text; UserError for other ones than the begin and the end token."""
    bare, whole = (tokenizer.backend_tokenizer.encode("a", add_special_tokens=special).ids for special in (False, True))
    place = next(place for place in range(len(whole)) if whole[place : place + len(bare)] == bare)
    before, behind = whole[:place], whole[place + len(bare) :]
    if len(before) > 1 or behind not in ([], [tokenizer.eos_token_id]):
        names = tokenizer.convert_ids_to_tokens([*before, *behind])
        raise UserError(f"llama.cpp cannot put {' '.join(names)} around every text as this tokenizer does")
    return before[0] if before else None, behind[0] if behind else None
