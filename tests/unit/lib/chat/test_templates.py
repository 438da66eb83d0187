"""A tokenizer gets a template, and with it the token that ends an answer."""

from typing import get_args

import pytest
from tokenizers import Tokenizer, models
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from lib.chat.templates import NAMES, set_template
from lib.core.errors import UserError
from lib.settings.sft import InstructionSettings
from tiny_model import make_tiny_tokenizer

MESSAGES = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tiny_tokenizer()


def test_the_settings_know_every_template() -> None:
    assert get_args(InstructionSettings.model_fields["template"].annotation) == NAMES


def test_the_end_token_is_the_templates(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.eos_token = "<|endoftext|>"  # as base models of the Qwen family have it
    set_template(tokenizer, "base")
    assert tokenizer.eos_token == "<|im_end|>"
    tokenizer.eos_token = "<|endoftext|>"
    set_template(tokenizer, "article")
    assert tokenizer.eos_token == "<|endoftext|>"
    assert tokenizer.apply_chat_template(MESSAGES, tokenize=False) == "指令：q\n输出：a<|endoftext|>\n"


def test_a_text_begins_with_the_token_that_the_tokenizer_puts_first(tokenizer: PreTrainedTokenizerFast) -> None:
    begin = f"{tokenizer.bos_token} $A"
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single=begin, special_tokens=[(tokenizer.bos_token, tokenizer.bos_token_id)]
    )
    set_template(tokenizer, "article")
    rendered = tokenizer.apply_chat_template(MESSAGES, tokenize=False)
    assert rendered == f"{tokenizer.bos_token}指令：q\n输出：a<|im_end|>\n"


def test_what_cannot_be_given_is_said(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] + '\n' }}{% endfor %}"
    with pytest.raises(UserError, match=r"does not end an answer with a special token but with '\\n'"):
        set_template(tokenizer, "base")
    tokenizer.chat_template = None
    with pytest.raises(UserError, match=r"no chat template; set sft\.template to chatml or article"):
        set_template(tokenizer, "base")
    bare = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab={"a": 0}, merges=[])))
    with pytest.raises(UserError, match=r"chatml needs <\|im_start\|> as a special token"):
        set_template(bare, "chatml")
    with pytest.raises(UserError, match=r"the tokenizer has no end token"):
        set_template(bare, "article")
