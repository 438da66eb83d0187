"""Tokenizers written to GGUF as llama.cpp's converter writes them, and read back: the same ids on any text."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from lib.base_model.gguf import read_file
from lib.base_model.gguf_tokenizer import read_tokenizer
from lib.core.errors import UserError
from tiny_model import CHAT_TEMPLATE, TEXT, write_sentencepiece

TEXTS = (
    *TEXT,
    "In 1522 and 20260101 the 3 ships, 12345.678 tons, came home.",
    "def main(args: list[str]) -> None:\n\tif x >= 10:\n        return {'a': \"b\"}  # It'LL don't\r\n",
    "  two blanks, then   three,\tand a tab\n\n\n  \n",
    " 一二三，四五六。「七」　１２３：ｆｕｌｌ～",
    "emoji 🙂👍🏽 and 👨‍👩‍👧, Hangul 한국어, Kana カタカナひらがな",
    "caf\u00e9 and cafe\u0301, \u1112\u1161\u11ab, naïve ½ ² Ⅳ",
    "<|user|>question<|end|><|made|>up",
    "HTTPServer camelCase ABCDef $HOME/usr/bin a+b=c|d",
)
# As the models' own tokenizer.json have them.
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CUTS: dict[str, Sequence[str]] = {
    "llama-bpe": [rf"{CONTRACTIONS}|{WORDS}|\p{{N}}{{1,3}}|{REST}"],
    "qwen2": [rf"{CONTRACTIONS}|{WORDS}|\p{{N}}|{REST}"],
    "tekken": [
        rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*"
        r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ],
    "deepseek-v3": [
        r"\p{N}{1,3}",
        "[一-龥぀-ゟ゠-ヿ]+",
        r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
        r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ],
    "glm4": [rf"{CONTRACTIONS}|{WORDS}|\p{{N}}{{1,3}}|{REST}"],
    "gpt-2": [],
    "smollm": [],
}


def byte_level(name: str) -> Tokenizer:
    """A small tokenizer of the kind that llama.cpp calls `name`."""
    backend = Tokenizer(models.BPE(ignore_merges=name in ("llama-bpe", "tekken")))
    if name == "qwen2":
        backend.normalizer = normalizers.NFC()
    cuts = [pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in CUTS[name]]
    digits = [pre_tokenizers.Digits(individual_digits=True)] if name == "smollm" else []
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not cuts)
    backend.pre_tokenizer = pre_tokenizers.Sequence([*cuts, *digits, last])
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(TEXTS, trainer)
    special = [AddedToken(token, special=True, normalized=False) for token in ("<｜begin｜>", "<|user|>", "<|end|>")]
    backend.add_special_tokens(special)
    backend.add_tokens([AddedToken("<|made|>", special=False, normalized=False)])
    return backend


def write(path: Path, backend: Tokenizer, name: str, unused: int = 0, **flags: bool) -> Path:
    """A GGUF file with the tokenizer of a byte-level model, whose embedding has `unused` rows more."""
    description = json.loads(backend.to_str())
    tokens = [backend.id_to_token(number) for number in range(backend.get_vocab_size())]
    kinds = [int(gguf.TokenType.NORMAL)] * len(tokens) + [int(gguf.TokenType.UNUSED)] * unused
    for added in description["added_tokens"]:
        kinds[added["id"]] = int(gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list(tokens + [f"[PAD{len(tokens) + number}]" for number in range(unused)])
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in description["model"]["merges"]])
    writer.add_bos_token_id(backend.token_to_id("<｜begin｜>"))
    writer.add_eos_token_id(backend.token_to_id("<|end|>"))
    writer.add_chat_template(CHAT_TEMPLATE)
    return finish(writer, path, **flags)


def finish(writer: gguf.GGUFWriter, path: Path, **flags: bool) -> Path:
    for key, value in flags.items():
        writer.add_bool(f"tokenizer.ggml.{key}", value)
    writer.add_tensor("token_embd.weight", np.ones((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def read(path: Path, **changed: Any) -> PreTrainedTokenizerFast:
    fields = {key.removeprefix("tokenizer."): value for key, value in read_file(path).fields.items()}
    return read_tokenizer(fields | changed, 512, path.name)


@pytest.mark.parametrize("name", CUTS)
def test_byte_level_tokenizers(name: str, tmp_path: Path) -> None:
    truth = byte_level(name)
    found = read(write(tmp_path / "tiny.gguf", truth, name, unused=5))
    assert found.get_vocab() == truth.get_vocab()
    for text in TEXTS:
        assert found.encode(text, add_special_tokens=False) == truth.encode(text).ids
    assert found.chat_template == CHAT_TEMPLATE
    assert (found.bos_token, found.eos_token, found.pad_token) == ("<｜begin｜>", "<|end|>", None)
    for number, token in truth.get_added_tokens_decoder().items():
        assert found.added_tokens_decoder[number].special == token.special


@pytest.mark.parametrize(
    ("name", "flags", "begins"),
    [
        ("llama-bpe", {}, True),
        ("llama-bpe", {"add_bos_token": False}, False),
        ("deepseek-v3", {"add_bos_token": True}, True),
        ("deepseek-v3", {}, False),
    ],
)
def test_text_begins_as_the_file_says(name: str, flags: dict[str, bool], begins: bool, tmp_path: Path) -> None:
    found = read(write(tmp_path / "tiny.gguf", byte_level(name), name, **flags))
    begin = [found.bos_token_id] if begins else []
    assert found.encode("a") == begin + found.encode("a", add_special_tokens=False)


@pytest.mark.parametrize("prefix", [True, False])
def test_sentencepiece(prefix: bool, tmp_path: Path) -> None:
    write_sentencepiece(tmp_path / "tokenizer.model")
    proto: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    proto.ParseFromString((tmp_path / "tokenizer.model").read_bytes())
    proto.normalizer_spec.add_dummy_prefix = prefix
    reference = SentencePieceProcessor(model_proto=proto.SerializeToString())
    writer = gguf.GGUFWriter(tmp_path / "tiny.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece.piece for piece in proto.pieces])
    writer.add_token_scores([piece.score for piece in proto.pieces])
    writer.add_token_types([piece.type for piece in proto.pieces])
    found = read(finish(writer, tmp_path / "tiny.gguf", add_space_prefix=prefix))
    for text in TEXTS:
        assert found.encode(text) == [1, *reference.encode(text)]
        assert found.decode(found.encode(text, add_special_tokens=False)) == text
    assert (found.bos_token, found.eos_token, found.unk_token) == ("<s>", "</s>", "<unk>")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ggml.pre": "brand-new"}, "the file's pre-tokenizer 'brand-new' is not known here"),
        ({"ggml.model": "rwkv"}, "a tokenizer of the kind 'rwkv' cannot be read"),
        ({"ggml.tokens": ["a", "a"], "ggml.token_type": [1, 1]}, "the list of tokens is missing or damaged"),
        ({"ggml.merges": ["zzz yyy"]}, "the tokenizer is damaged: .*zzz"),
    ],
)
def test_what_cannot_be_read(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.gguf", byte_level("gpt-2"), "gpt-2")
    with pytest.raises(UserError, match=rf"^tiny\.gguf: {said}") as error:
        read(path, **changed)
    assert "\n" not in str(error.value)
