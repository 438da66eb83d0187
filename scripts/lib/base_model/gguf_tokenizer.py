"""The tokenizer that a GGUF file describes, from its fields `tokenizer.*` alone.

A file holds tokens, their kinds and their merges or scores. Merges are a byte-level BPE's; scores are those of a
SentencePiece model, which is put together again and read as one.

transformers' own conversion (5.24, `gguf_file`) gives other ids for 13 of 147 texts in the seven kinds of byte-level
tokenizer that the tests write, most with GLM-4's; this for none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gguf import TokenType
from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from lib.base_model.gguf_pre_tokenizers import DEFAULT, PATTERNS, TOKENS_FIRST, normalizer, pre_tokenizer
from lib.base_model.tokenizer_model import BPE, put_around, sentencepiece_backend
from lib.core.errors import UserError

Fields = Mapping[str, Any]
"""Values by their keys in the file, less the leading `tokenizer.`."""

SPACE = "▁"
SAMPLES = (
    "In 1522, the ship came home.\n\n  It's 37 °C;\tdef f(x): return x ** 2  # ok?!\r\n",
    "  第一回：宴桃園豪傑三結義 🙂👍🏽 «naïve» 한국어 Привет ",
)
"""Text on which a tokenizer is tried."""


def read_tokenizer(fields: Fields, length: int, where: str) -> PreTrainedTokenizerFast:
    """The tokenizer that `fields` describe. `length` is the model's limit in tokens.

    Raises UserError, which `where` begins, for a kind or a pre-tokenizer that is not known, and for fields that do not
    fit together.
    """
    kind, name = fields.get("ggml.model"), _name(fields)
    if kind not in ("gpt2", "llama"):
        raise UserError(f"{where}: a tokenizer of the kind {kind!r} cannot be read; use the model's safetensors")
    if kind == "gpt2" and name not in PATTERNS:
        raise UserError(f"{where}: the file's pre-tokenizer {name!r} is not known here; use the model's safetensors")
    tokens, kinds = _tokens(fields, where)
    special = _special_tokens(fields, tokens)
    try:
        backend = (_byte_level if kind == "gpt2" else _sentencepiece)(fields, tokens, kinds)
    except Exception as error:  # of tokenizers and sentencepiece, for fields that do not fit together
        raise UserError(f"{where}: the tokenizer is damaged: {' '.join(str(error).split())}") from None
    control = {token for token, of_kind in zip(tokens, kinds, strict=True) if of_kind == TokenType.CONTROL}
    names = [token for token in tokens if token in control or token in special.values()]
    backend.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in names])
    begins = fields.get("ggml.add_bos_token", kind == "llama" or name in TOKENS_FIRST)
    put_around(
        backend,
        special["bos_token"] if begins else None,
        special["eos_token"] if fields.get("ggml.add_eos_token") else None,
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        chat_template=fields.get("chat_template"),
        clean_up_tokenization_spaces=False,
        model_max_length=length,
        **special,
    )


def says_how_text_is_cut(fields: Fields) -> bool:
    """Whether byte-level `fields` name a pre-tokenizer; others need none."""
    return fields.get("ggml.model") != "gpt2" or _name(fields) != DEFAULT


def _name(fields: Fields) -> str:
    return str(fields.get("ggml.pre") or DEFAULT)


def _tokens(fields: Fields, where: str) -> tuple[list[str], list[int]]:
    """Tokens by id and their kinds, without those at the end that stand for rows which no token uses."""
    tokens = [token or f"[EMPTY_{number}]" for number, token in enumerate(fields.get("ggml.tokens", ()))]
    kinds = list(fields.get("ggml.token_type", [TokenType.NORMAL] * len(tokens)))
    if not tokens or len(kinds) != len(tokens) or len(set(tokens)) != len(tokens):
        raise UserError(f"{where}: the list of tokens is missing or damaged")
    used = max((number for number, kind in enumerate(kinds) if kind != TokenType.UNUSED), default=0) + 1
    return tokens[:used], kinds[:used]


def _special_tokens(fields: Fields, tokens: Sequence[str]) -> dict[str, str | None]:
    """The begin, end, unknown and padding token, by transformers' names for them."""
    defaults = {"bos": 1, "eos": 2, "unknown": 0} if fields["ggml.model"] == "llama" else {}
    found: dict[str, str | None] = {}
    for key, name in (("bos", "bos"), ("eos", "eos"), ("unknown", "unk"), ("padding", "pad")):
        number = fields.get(f"ggml.{key}_token_id", defaults.get(key, len(tokens)))
        found[f"{name}_token"] = tokens[number] if number < len(tokens) else None
    return found


def _byte_level(fields: Fields, tokens: Sequence[str], kinds: Sequence[int]) -> Tokenizer:
    merges = []
    for merge in fields["ggml.merges"]:
        left, _, right = merge[1:].partition(" ")
        merges.append((merge[0] + left, right))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    name = _name(fields)
    backend = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            continuing_subword_prefix="",
            end_of_word_suffix="",
            ignore_merges=name in TOKENS_FIRST,
        )
    )
    backend.normalizer = normalizer(name)
    backend.pre_tokenizer = pre_tokenizer(name)
    backend.decoder = decoders.ByteLevel()
    own = [token for token, kind in zip(tokens, kinds, strict=True) if kind == TokenType.USER_DEFINED]
    backend.add_tokens([AddedToken(token, normalized=False, special=False) for token in own])
    return backend


def _sentencepiece(fields: Fields, tokens: Sequence[str], kinds: Sequence[int]) -> Tokenizer:
    """Raises ValueError when SentencePiece itself reads SAMPLES otherwise than the tokenizer that is made."""
    proto: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]  # made when it is imported
    for token, score, kind in zip(tokens, fields["ggml.scores"], kinds, strict=False):
        proto.pieces.add(piece=token.replace(" ", SPACE), score=float(score), type=int(kind))
    trainer, rules = proto.trainer_spec, proto.normalizer_spec
    trainer.model_type = BPE
    trainer.byte_fallback = TokenType.BYTE in kinds
    trainer.unk_id = int(fields.get("ggml.unknown_token_id", 0))
    trainer.unk_piece = proto.pieces[trainer.unk_id].piece
    rules.add_dummy_prefix = bool(fields.get("ggml.add_space_prefix", True))
    rules.remove_extra_whitespaces = bool(fields.get("ggml.remove_extra_whitespaces", False))
    backend = sentencepiece_backend(proto)
    reference = SentencePieceProcessor(model_proto=proto.SerializeToString())
    for text in SAMPLES:
        if backend.encode(text, add_special_tokens=False).ids != reference.encode(text):
            raise ValueError(f"SentencePiece reads {text!r} otherwise")
    return backend
