"""Tokenizers as GGUF has them: the name of the way to cut text, scores, kinds; and those that llama.cpp cannot have."""

import json
from pathlib import Path

import pytest
from gguf import TokenType
from tokenizers import AddedToken, Tokenizer, normalizers, processors
from transformers import PreTrainedTokenizerFast

import tokenizer_kinds
import tokenizers_to_extend
from lib.core.errors import UserError
from lib.export.gguf_vocabulary import name_of_cuts, vocabulary_of
from lib.tokenizer.leading_marks import with_leading_marks
from lib.tokenizer.user_words import Term, add_words
from tiny_families import llama3, qwen3
from tiny_model import make_tiny_model

NAMES = {
    "SmolLM 2": "smollm",
    "Phi 4": "dbrx",
    "a space before": None,
    "no class": "dbrx",
}


def description(tokenizer: Tokenizer) -> dict[str, object]:
    parsed: dict[str, object] = json.loads(tokenizer.to_str())
    return parsed


@pytest.mark.parametrize(("kind", "name"), NAMES.items())
def test_the_way_to_cut_text_has_llama_cpps_name(kind: str, name: str | None, tmp_path: Path) -> None:
    tokenizer = tokenizer_kinds.KINDS[kind][0](tmp_path)
    if name:
        assert name_of_cuts(description(tokenizer)) == name
    else:
        with pytest.raises(UserError, match="knows no pre-tokenizer that cuts text as this tokenizer does; take"):
            name_of_cuts(description(tokenizer))


def test_names_tell_whether_tokens_come_before_merges(tmp_path: Path) -> None:
    for make, name in ((llama3, "llama-bpe"), (qwen3, "qwen2")):
        make(tmp_path / name)
        assert name_of_cuts(description(Tokenizer.from_file(str(tmp_path / name / "tokenizer.json")))) == name


def test_leading_punctuation_on_a_base_that_cuts_it_off_is_refused() -> None:
    with pytest.raises(UserError, match=r"set tokenizer\.leading_marks: false"):
        name_of_cuts(description(with_leading_marks(tokenizers_to_extend.byte_level())))


def test_words_that_are_cut_out_of_the_text_are_refused() -> None:
    with_words = add_words(tokenizers_to_extend.byte_level(), [Term("刘备", "words.txt, line 1")])
    with pytest.raises(UserError, match=r"tokenizer\.words"):
        name_of_cuts(description(with_words))


def test_a_normalizer_that_llama_cpp_lacks_is_refused() -> None:
    tokenizer = tokenizers_to_extend.byte_level()
    tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(UserError, match="normalizer"):
        name_of_cuts(description(tokenizer))


def test_scores_follow_the_order_of_merging(tmp_path: Path) -> None:
    backend = tokenizer_kinds.llama_2(tmp_path)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    rows = backend.get_vocab_size() + 3
    vocabulary = vocabulary_of(tokenizer, rows, [2])
    merges = ["".join(pair) for pair in json.loads(backend.to_str())["model"]["merges"]]
    scores = dict(zip(vocabulary.tokens, vocabulary.scores, strict=True))
    first = dict.fromkeys(merges)
    assert sorted(first, key=lambda token: -scores[token]) == list(first)
    assert vocabulary.kinds[:3] == [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    assert vocabulary.kinds.count(TokenType.BYTE) == 256
    assert vocabulary.kinds[-3:] == [TokenType.UNUSED] * 3
    assert (vocabulary.model, vocabulary.begins, vocabulary.ends, vocabulary.space_before) == (
        "llama",
        True,
        False,
        True,
    )


def test_a_second_end_token_is_named_too(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    tokenizer.backend_tokenizer.add_tokens([AddedToken("ferry", normalized=False)])
    vocabulary = vocabulary_of(tokenizer, len(tokenizer), [2, 0])
    assert (vocabulary.special["eos"], vocabulary.special["eot"]) == (2, 0)
    assert vocabulary.kinds[-1] == TokenType.USER_DEFINED
    assert vocabulary.chat_template == tokenizer.chat_template


def test_several_tokens_before_a_text_are_refused() -> None:
    backend = tokenizers_to_extend.sentencepiece_legacy()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> <unk> $A", special_tokens=[("<s>", 1), ("<unk>", 0)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    with pytest.raises(UserError, match="cannot put <s> <unk> around every text"):
        vocabulary_of(tokenizer, backend.get_vocab_size(), [2])
