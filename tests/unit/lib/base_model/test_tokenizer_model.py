"""tokenizer.model files: the same ids as SentencePiece, and as an encoder written from tiktoken's description."""

import base64
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor
from tokenizers import normalizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from lib.base_model.tokenizer_model import check_against_sentencepiece, read_tokenizer_model
from lib.core.errors import UserError
from tiny_model import TEXT, make_tiny_tokenizer, write_sentencepiece

ALPHABET = "ab cdeT,.\n\t0123  éß第一回老船▁🙂"


@pytest.fixture(scope="module")
def sentencepiece_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sentencepiece") / "tokenizer.model"
    write_sentencepiece(path)
    return path


@pytest.fixture(scope="module")
def ranks() -> dict[bytes, int]:
    """A vocabulary in tiktoken's form: all bytes, then the tiny tokenizer's tokens that they can be merged into."""
    tiny = make_tiny_tokenizer()
    tokens = [bytes([value]) for value in range(256)]
    for token, _ in sorted(tiny.get_vocab().items(), key=lambda item: item[1]):
        piece = tiny.convert_tokens_to_string([token]).encode()
        if len(piece) > 1 and "\ufffd" not in piece.decode() and not piece.startswith(b"<|"):
            tokens += [piece[:size] for size in range(2, len(piece) + 1)]
    return {token: rank for rank, token in enumerate(dict.fromkeys(tokens))}


@pytest.fixture(scope="module")
def tiktoken_model(ranks: dict[bytes, int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiktoken") / "tokenizer.model"
    path.write_text("".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()))
    return path


def reference_ids(piece: bytes, ranks: Mapping[bytes, int]) -> list[int]:
    """Byte-pair encoding of one piece of text: the neighbours of the lowest rank are joined, again and again."""
    parts = [piece[index : index + 1] for index in range(len(piece))]
    while True:
        joints = [(ranks[a + b], index) for index, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
        if not joints:
            return [ranks[part] for part in parts]
        _, index = min(joints)
        parts[index : index + 2] = [parts[index] + parts[index + 1]]


def saved_and_read(tokenizer: PreTrainedTokenizerFast, directory: Path) -> PreTrainedTokenizerFast:
    tokenizer.save_pretrained(directory)
    return AutoTokenizer.from_pretrained(directory)


def test_sentencepiece(sentencepiece_model: Path, tmp_path: Path) -> None:
    tokenizer = saved_and_read(read_tokenizer_model(sentencepiece_model, 4096), tmp_path)
    reference = SentencePieceProcessor(str(sentencepiece_model))
    assert len(tokenizer) == reference.get_piece_size()
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.unk_token) == ("<s>", "</s>", "<unk>")
    assert tokenizer.model_max_length == 4096
    for text in TEXT:
        assert tokenizer.encode(text) == [1, *reference.encode(text)]
        assert tokenizer.decode(tokenizer.encode(text), skip_special_tokens=True) == text
    assert tokenizer.encode("</s>", add_special_tokens=False) == [2]


def test_a_conversion_that_reads_otherwise(sentencepiece_model: Path) -> None:
    tokenizer = read_tokenizer_model(sentencepiece_model, 4096)
    check_against_sentencepiece(tokenizer, sentencepiece_model)
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(" ", "▁")  # without the space before
    with pytest.raises(UserError, match=r"it reads '.*' otherwise than with SentencePiece"):
        check_against_sentencepiece(tokenizer, sentencepiece_model)


@given(st.text(ALPHABET, max_size=40) | st.text(max_size=20))
def test_sentencepiece_on_any_text(sentencepiece_model: Path, text: str) -> None:
    tokenizer = read_tokenizer_model(sentencepiece_model, 4096)
    reference = SentencePieceProcessor(str(sentencepiece_model))
    special = any(name in text for name in ("<s>", "</s>"))
    assert special or tokenizer.encode(text, add_special_tokens=False) == reference.encode(text)


def test_tiktoken(tiktoken_model: Path, ranks: dict[bytes, int], tmp_path: Path) -> None:
    tokenizer = saved_and_read(read_tokenizer_model(tiktoken_model, 8192), tmp_path)
    assert len(tokenizer) == len(ranks) + 256
    assert tokenizer.bos_token_id == len(ranks)
    assert tokenizer.convert_ids_to_tokens(len(ranks) + 9) == "<|eot_id|>"
    assert tokenizer.convert_ids_to_tokens(len(ranks) + 255) == "<|reserved_special_token_247|>"
    assert tokenizer.encode("<|eot_id|>", add_special_tokens=False) == [len(ranks) + 9]
    for text in TEXT:
        pieces = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
        expected = [rank for _, (start, end) in pieces for rank in reference_ids(text[start:end].encode(), ranks)]
        assert tokenizer.encode(text) == [tokenizer.bos_token_id, *expected]
        assert tokenizer.decode(expected) == text


def test_numbers_are_cut_into_threes(tiktoken_model: Path) -> None:
    tokenizer = read_tokenizer_model(tiktoken_model, 8192)
    pieces = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("It's 12345 done")
    assert [text for text, _ in pieces] == ["It", "'s", "Ġ", "123", "45", "Ġdone"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xfd not a model", b"YQ== 0\nnot a rank\n"])
def test_some_other_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(content)
    with pytest.raises(UserError, match=r"tokenizer\.model: n(ot|either) a SentencePiece"):
        read_tokenizer_model(tmp_path / "tokenizer.model", 100)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tokenizer\.model does not exist"):
        read_tokenizer_model(tmp_path / "tokenizer.model", 100)
