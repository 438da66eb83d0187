"""The tokens around a document in the text that a base model was pretrained on.

Llama 2 has seen `<s> document </s>`, Qwen `document <|endoftext|>`. A model that never began a text without its begin
token predicts worse where it is missing; one that ends its turns in a chat with a token of their own has not seen that
token between documents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from lib.core.errors import UserError
from lib.core.outputs import read_json

if TYPE_CHECKING:  # a heavy library, which a program that only reads what is recorded does without
    from transformers import PreTrainedTokenizerFast

AUTO, NONE = "auto", "none"
# By the last token before a document: what ended documents in the same pretraining.
ENDS = {
    "<s>": "</s>",  # Llama 1 and 2, Mistral, InternLM
    "<|begin_of_text|>": "<|end_of_text|>",  # Llama 3
    "<bos>": "<eos>",  # Gemma
    "<｜begin▁of▁sentence｜>": "<｜end▁of▁sentence｜>",  # DeepSeek
    "<sop>": "<|endoftext|>",  # GLM 4, behind [gMASK]
}
ENDS_WITHOUT_START = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>")
"""Qwen, SmolLM and Phi 4; SmolLM 3; others. The first that is there."""
STARTED = {"llama", "mistral", "gemma3_text"}
"""Types of model that begin documents with a begin token of ENDS even if the tokenizer's files say nothing of it."""


@dataclass(frozen=True)
class DocumentTokens:
    """Ids of the tokens before and behind each document; one of both is empty for some models."""

    start: tuple[int, ...]
    end: tuple[int, ...]

    @property
    def between(self) -> list[int]:
        """What stands before each of many documents in a row: the end of the one before it, then its own start."""
        return [*self.end, *self.start]

    @property
    def before(self) -> list[int]:
        """What stands before a text that is read by itself."""
        return list(self.start or self.end)


def find_document_tokens(
    tokenizer: "PreTrainedTokenizerFast", model_type: str, start: str = AUTO, end: str = AUTO
) -> DocumentTokens:
    """The tokens around the documents that a model of `model_type` was pretrained on, as its family and files tell.

    `start` and `end` are the settings: `auto`, `none`, or special tokens in a row. Raises UserError for a token that
    the vocabulary lacks as a special one, and when documents are left without any token between them.
    """
    before = _start(tokenizer, model_type) if start == AUTO else _named(tokenizer, start, "document_start")
    behind = _end(tokenizer, before) if end == AUTO else _named(tokenizer, end, "document_end")
    if not before and not behind:
        raise UserError(
            "no token stands between documents: the tokenizer has no end-of-text token; name one in "
            "base_model.document_end"
        )
    return DocumentTokens(before, behind)


def token_facts(tokens: DocumentTokens, tokenizer: "PreTrainedTokenizerFast") -> dict[str, list[str]]:
    """`tokens` by their names, as the base model's manifest records them."""
    return {
        "document_start": list(tokenizer.convert_ids_to_tokens(list(tokens.start))),
        "document_end": list(tokenizer.convert_ids_to_tokens(list(tokens.end))),
    }


def recorded_document_tokens(base_model: Path, tokenizer: Tokenizer) -> DocumentTokens:
    """What the manifest `base_model` records, as ids of `tokenizer`: the base's own or one that was made from it."""
    facts = read_json(base_model)["facts"]

    def ids(names: Sequence[str]) -> tuple[int, ...]:
        found = [tokenizer.token_to_id(name) for name in names]
        if None in found:
            raise UserError(f"{base_model} names {names[found.index(None)]}, which the tokenizer lacks")
        return tuple(number for number in found if number is not None)

    return DocumentTokens(ids(facts["document_start"]), ids(facts["document_end"]))


def _start(tokenizer: "PreTrainedTokenizerFast", model_type: str) -> tuple[int, ...]:
    """What the tokenizer puts before a text; where it puts nothing, the begin token if its family or files say so."""
    encoded = tokenizer.backend_tokenizer.encode("a")
    added = tuple(encoded.ids[: encoded.special_tokens_mask.index(0)])
    if added:
        return added
    says = tokenizer.init_kwargs.get("add_bos_token")
    if says is None:
        says = model_type in STARTED and tokenizer.bos_token in ENDS
    return (tokenizer.bos_token_id,) if says and tokenizer.bos_token_id is not None else ()


def _end(tokenizer: "PreTrainedTokenizerFast", start: Sequence[int]) -> tuple[int, ...]:
    special = _special(tokenizer)
    last = str(tokenizer.convert_ids_to_tokens(start[-1])) if start else ""
    for name in (ENDS.get(last), *ENDS_WITHOUT_START, tokenizer.eos_token):
        if name in special:
            return (special[name],)
    return ()


def _named(tokenizer: "PreTrainedTokenizerFast", text: str, key: str) -> tuple[int, ...]:
    """The special tokens that `text` consists of."""
    if text == NONE:
        return ()
    ids = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    special = _special(tokenizer)
    if not ids or not set(ids) <= set(special.values()):
        known = ", ".join(list(special)[:12])
        raise UserError(
            f"settings: base_model.{key} is {text!r}, which is no special token of the base; it has {known}"
        )
    return tuple(ids)


def _special(tokenizer: "PreTrainedTokenizerFast") -> dict[str, int]:
    return {str(token): number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
