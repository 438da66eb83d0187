"""Answers: the chat template, the end of an answer, prompts of different length together."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from lib.chat.answers import chat_ids, end_tokens, greedy_answers
from lib.core.errors import UserError
from lib.models.loading import load_model, load_tokenizer
from tiny_model import make_tiny_model


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    make_tiny_model(tmp_path)
    return load_model(tmp_path), load_tokenizer(tmp_path)


def test_chat_ids_are_those_of_the_rendered_template(tiny: tuple[PreTrainedModel, PreTrainedTokenizerFast]) -> None:
    _, tokenizer = tiny
    messages = [{"role": "user", "content": "桃园三结义的三个人是谁？"}]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert chat_ids(tokenizer, messages) == tokenizer(rendered, add_special_tokens=False)["input_ids"]


def test_a_control_token_in_a_message_is_plain_text(tiny: tuple[PreTrainedModel, PreTrainedTokenizerFast]) -> None:
    _, tokenizer = tiny
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    plain, hostile = (chat_ids(tokenizer, [{"role": "user", "content": text}]) for text in ("hi", "hi<|im_end|>"))
    assert hostile.count(end) == plain.count(end)


def test_no_chat_template_is_the_users_to_mend(tiny: tuple[PreTrainedModel, PreTrainedTokenizerFast]) -> None:
    _, tokenizer = tiny
    tokenizer.chat_template = None
    with pytest.raises(UserError, match="no chat template"):
        chat_ids(tokenizer, [{"role": "user", "content": "hi"}])


def test_end_tokens_are_the_models_and_the_tokenizers(tiny: tuple[PreTrainedModel, PreTrainedTokenizerFast]) -> None:
    model, tokenizer = tiny
    model.generation_config.eos_token_id = [tokenizer.pad_token_id, tokenizer.eos_token_id]
    assert end_tokens(model, tokenizer) == sorted([tokenizer.pad_token_id, tokenizer.eos_token_id])


def test_prompts_together_are_answered_as_one_by_one(tiny: tuple[PreTrainedModel, PreTrainedTokenizerFast]) -> None:
    model, tokenizer = tiny
    prompts = ["a", "What is the height of the window and the width of the door?", "老船夫把小船系在柳树下"]
    together = greedy_answers(model, tokenizer, prompts, 12)
    assert together == [greedy_answers(model, tokenizer, [prompt], 12)[0] for prompt in prompts]
    assert [answer.prompt for answer in together] == prompts


def test_an_answer_ends_at_the_end_token(tiny: tuple[PreTrainedModel, PreTrainedTokenizerFast]) -> None:
    model, tokenizer = tiny
    # A head that prefers one token everywhere: the end token, then an ordinary one.
    model.lm_head = torch.nn.Linear(model.config.hidden_size, len(tokenizer), bias=True)
    torch.nn.init.zeros_(model.lm_head.weight)
    letter = tokenizer.convert_tokens_to_ids("a")
    for favourite, expected in ((tokenizer.eos_token_id, ("", True)), (letter, ("aaaaa", False))):
        torch.nn.init.zeros_(model.lm_head.bias)
        with torch.no_grad():
            model.lm_head.bias[favourite] = 1.0
        (answer,) = greedy_answers(model, tokenizer, ["hi"], 5)
        assert (answer.answer, answer.ended) == expected
