"""Conversations in spans: what is trained of them, and the same tokens in training as in answering."""

import pytest
from chat_templates import QWEN3
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from lib.chat.rendering import RenderingError
from lib.chat.spans import Span, encode_spans, find_control_token, prompt_ids, trained_spans, well_rendered
from tiny_model import make_tiny_tokenizer

CONVERSATION = [
    {"role": "user", "content": "q1"},
    {"role": "assistant", "content": "a1"},
    {"role": "user", "content": "q2"},
    {"role": "assistant", "content": "a2"},
]


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tiny_tokenizer()


def test_answers_that_are_context_only(tokenizer: PreTrainedTokenizerFast) -> None:
    rendering = well_rendered(tokenizer, CONVERSATION, (), [1, 3])
    spans = {places: trained_spans(rendering, places) for places in ((1, 3), (3,), (1,))}
    assert [span.text for span in spans[3,]] == [span.text for span in spans[1, 3]]
    assert [span.is_trained for span in spans[1, 3]] == [False, True, False, True]
    assert [span.is_trained for span in spans[3,]] == [False, False, False, True]
    assert spans[1,] == spans[1, 3][:2]
    assert spans[1,][1] == Span("a1<|im_end|>", True)


def test_several_answers_at_once_need_a_template_that_keeps_them(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = QWEN3
    rendering = well_rendered(tokenizer, CONVERSATION, (), [1, 3])
    assert [span.is_trained for span in trained_spans(rendering, [3])] == [False, True]
    with pytest.raises(RenderingError, match="renders earlier turns differently"):
        trained_spans(rendering, [1, 3])
    text = tokenizer.apply_chat_template(CONVERSATION[:3], tokenize=False, add_generation_prompt=True)
    assert prompt_ids(tokenizer, CONVERSATION[:3]) == tokenizer.encode(text, add_special_tokens=False)


def test_no_space_is_put_into_the_middle() -> None:
    """SentencePiece tokenizers put a space before what they encode; only a conversation's start may get one."""
    vocabulary = {token: place for place, token in enumerate(["<unk>", "▁", "\n", "a", "b", "</s>"])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    backend.decoder = decoders.Metaspace(prepend_scheme="first")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="<unk>")
    ids = encode_spans(tokenizer, ["a", "b</s>", " a"])
    assert [tokenizer.convert_ids_to_tokens(span) for span in ids] == [["▁", "a"], ["b", "</s>"], ["▁", "a"]]


def test_the_longest_control_token_is_found() -> None:
    assert find_control_token(["<s>", "<s><s>"], "a<s><s>") == "<s><s>"
    assert find_control_token([], "a") is None
