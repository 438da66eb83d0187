"""The two kinds of BPE tokenizer that can be extended, seen alike: every token stands for bytes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from tokenizers import Tokenizer

from lib.core.errors import UserError

Style = Literal["byte-level", "sentencepiece"]
BLANK_MARK = "▁"  # how SentencePiece writes a blank
REMEDY = "Choose a base model with such a tokenizer, or set tokenizer.new_tokens to 0 to keep this one as it is."


@dataclass(frozen=True)
class BaseVocabulary:
    """A BPE tokenizer and what its tokens stand for."""

    tokenizer: Tokenizer
    style: Style

    @cached_property
    def spelling(self) -> dict[int, bytes]:
        """The bytes of every ordinary token by id: not of added tokens, nor of those SentencePiece falls back to."""
        added = set(self.tokenizer.get_added_tokens_decoder())
        tokens = self.tokenizer.get_vocab(with_added_tokens=False)
        of_bytes = set(self.byte_tokens)
        return {
            token_id: self.spell(token)
            for token, token_id in tokens.items()
            if token_id not in added and token_id not in of_bytes and self._is_spelled(token)
        }

    @cached_property
    def byte_tokens(self) -> dict[int, int]:
        """Byte by id of the tokens that SentencePiece falls back to; none in a byte-level vocabulary."""
        if self.style == "byte-level":
            return {}
        vocabulary = self.tokenizer.get_vocab(with_added_tokens=False)
        return {vocabulary[f"<0x{byte:02X}>"]: byte for byte in range(256)}

    def spell(self, token: str) -> bytes:
        """The bytes that a token's string stands for."""
        if self.style == "byte-level":
            return bytes(BYTE_OF[character] for character in token)
        return token.replace(BLANK_MARK, " ").encode()

    def write(self, spelling: bytes) -> str:
        """The string of a token that stands for the bytes `spelling`."""
        if self.style == "byte-level":
            return "".join(CHARACTER_OF[byte] for byte in spelling)
        return spelling.decode().replace(" ", BLANK_MARK)

    def _is_spelled(self, token: str) -> bool:
        return self.style == "sentencepiece" or all(character in BYTE_OF for character in token)


def base_vocabulary(tokenizer: Tokenizer) -> BaseVocabulary:
    """`tokenizer` as a vocabulary to extend; UserError when it is of a kind that cannot be."""
    description = json.loads(tokenizer.to_str())
    model = description["model"]
    if model["type"] != "BPE":
        raise UserError(f"the base tokenizer is a {model['type']} model; only BPE can be extended. {REMEDY}")
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise UserError(f"the base tokenizer marks the parts of words, which cannot be extended. {REMEDY}")
    if _is_byte_level(description):
        return BaseVocabulary(tokenizer, "byte-level")
    if model.get("byte_fallback") and all(f"<0x{byte:02X}>" in model["vocab"] for byte in range(256)):
        return BaseVocabulary(tokenizer, "sentencepiece")
    raise UserError(
        f"the base tokenizer is neither byte-level nor has it byte fallback; only such BPE can be extended. {REMEDY}"
    )


def _is_byte_level(description: Mapping[str, Any]) -> bool:
    return '"ByteLevel"' in json.dumps([description["pre_tokenizer"], description["normalizer"]])


def _byte_alphabet() -> dict[str, int]:
    """The byte that each character of the byte-level alphabet stands for (GPT-2's printable mapping)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


BYTE_OF = _byte_alphabet()
CHARACTER_OF = {byte: character for character, byte in BYTE_OF.items()}
