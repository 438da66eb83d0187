"""`tokenizer.model` files as Hugging Face tokenizers: SentencePiece's (Llama 1 and 2) and tiktoken's (Llama 3)."""

import base64
import binascii
from pathlib import Path
from typing import Any

import transformers
from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, processors
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import SpmConverter, TikTokenConverter

from lib.core.errors import UserError
from lib.models.publishing import SAMPLE_TEXTS

CONTROL = 3  # SentencePiece's type of a piece that text never yields
BPE = 2  # SentencePiece's type of a model
# The first of Llama 3.1's 256 special tokens. Llama 3.0 has the same ones in these places, or reserved ones.
LLAMA3_SPECIAL = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|reserved_special_token_0|>",
    "<|reserved_special_token_1|>",
    "<|finetune_right_pad_id|>",
    "<|reserved_special_token_2|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
)
LLAMA3_SPECIAL_COUNT = 256

Parts = tuple[Tokenizer, str | None, str | None, str | None]
"""A tokenizer, and its begin, end and unknown token."""


def read_tokenizer_model(path: Path, length: int) -> PreTrainedTokenizerFast:
    """The tokenizer in a `tokenizer.model` file; texts begin with its begin token. `length` is the model's limit.

    Raises UserError when it is neither a SentencePiece BPE model nor a list of tiktoken's ranks.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; it lies beside the weights that it belongs to")
    content = path.read_bytes()
    ranks = _ranks(content)
    backend, begin, end, unknown = _from_ranks(ranks) if ranks else _from_sentencepiece(content, path)
    put_around(backend, begin)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=begin,
        eos_token=end,
        unk_token=unknown,
        clean_up_tokenization_spaces=False,
        model_max_length=length,
    )


def check_against_sentencepiece(tokenizer: PreTrainedTokenizerFast, path: Path) -> None:
    """Raise UserError unless `tokenizer` reads text as the SentencePiece model in `path`, which it was made from."""
    reference = SentencePieceProcessor()
    try:
        reference.Load(str(path))
    except (OSError, RuntimeError):
        return  # tiktoken's ranks
    for text in SAMPLE_TEXTS:
        if tokenizer.encode(text, add_special_tokens=False) != reference.encode(text):
            raise UserError(
                f"{path}: as a tokenizer of transformers {transformers.__version__}, it reads {text!r} otherwise than "
                "with SentencePiece; get the tokenizer.json of this model, or take another"
            )


def put_around(backend: Tokenizer, begin: str | None, end: str | None = None) -> None:
    """Have `backend` put the tokens `begin` and `end`, as far as they are given, around every text."""
    if not (begin or end):
        return
    single, second = (" ".join(part for part in (begin, text, end) if part) for text in ("$A", "$B"))
    backend.post_processor = processors.TemplateProcessing(
        single=single,
        pair=f"{single} {second}",
        special_tokens=[(name, backend.token_to_id(name)) for name in {begin, end} if name],
    )


def sentencepiece_backend(proto: Any) -> Tokenizer:
    """A SentencePiece BPE model (a `ModelProto`) as a tokenizer that gives the same ids.

    Each stretch of text between special tokens is read as SentencePiece would read it alone.
    """
    vocabulary = {piece.piece: index for index, piece in enumerate(proto.pieces)}
    backend: Tokenizer = SpmConverter.build_tokenizer_from_spm_proto(proto, vocabulary, legacy=True)
    control = [piece.piece for piece in proto.pieces if piece.type == CONTROL]
    backend.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in control])
    return backend


def _from_sentencepiece(content: bytes, path: Path) -> Parts:
    proto: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]  # made when it is imported
    try:
        proto.ParseFromString(content)
    except Exception:  # protobuf's DecodeError
        raise UserError(f"{path}: neither a SentencePiece model nor tiktoken's ranks, or damaged") from None
    spec = proto.trainer_spec
    if not proto.pieces or spec.model_type != BPE:
        raise UserError(f"{path}: not a SentencePiece model of the BPE kind, which Llama's are")
    begin, end, unknown = [
        proto.pieces[index].piece if index >= 0 else None for index in (spec.bos_id, spec.eos_id, spec.unk_id)
    ]
    return sentencepiece_backend(proto), begin, end, unknown


def _ranks(content: bytes) -> dict[bytes, int]:
    """Bytes and rank of every token of a tiktoken file (base64, blank, number); empty when it is something else."""
    ranks: dict[bytes, int] = {}
    try:
        for line in content.splitlines():
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
    except (ValueError, binascii.Error):
        return {}
    return ranks


def _from_ranks(ranks: dict[bytes, int]) -> Parts:
    class Converter(TikTokenConverter):
        @staticmethod
        def load_tiktoken_bpe(path: str) -> dict[bytes, int]:  # instead of the package tiktoken
            return ranks

    reserved = range(3, LLAMA3_SPECIAL_COUNT - len(LLAMA3_SPECIAL) + 3)
    special = [*LLAMA3_SPECIAL, *(f"<|reserved_special_token_{number}|>" for number in reserved)]
    return Converter("", extra_special_tokens=special).converted(), special[0], special[1], None
