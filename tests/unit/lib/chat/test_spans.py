"""Answers are found in what any template writes, or the template is refused in one line."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from lib.chat.spans import HistoryError, conversation_spans, encode_spans, prompt_ids
from lib.core.errors import UserError
from tiny_model import make_tiny_tokenizer

CONVERSATION = [
    {"role": "user", "content": "q1"},
    {"role": "assistant", "content": "a1"},
    {"role": "user", "content": "q2"},
    {"role": "assistant", "content": " a2\n"},
]
# In the manner of Llama 2 and Mistral: only users are introduced, answers are trimmed.
INSTRUCT = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] "
    "+ ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] | trim + eos_token }}"
    "{% else %}{{ raise_exception('only user and assistant may speak') }}{% endif %}{% endfor %}"
)
# In the manner of reasoning models: thoughts stand in the last answer alone.
FORGETFUL = (
    "{% for message in messages %}{{ message['role'] + ':' }}"
    "{% if loop.last and message['role'] == 'assistant' %}{{ '<think></think>' }}{% endif %}"
    "{{ message['content'] + eos_token }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)
TOOL = {"type": "function", "function": {"name": "distance", "parameters": {}}}
CALLS = (
    "{% if tools %}{{ tools | tojson }}{% endif %}{% for message in messages %}{{ message['role'] + ':' "
    "+ message['content'] }}{% for call in message['tool_calls'] or [] %}{{ call['function'] | tojson }}{% endfor %}"
    "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tiny_tokenizer()


def test_a_template_without_marks_of_its_own(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = INSTRUCT
    spans = conversation_spans(tokenizer, CONVERSATION)
    assert [(span.text, span.is_trained) for span in spans] == [
        ("<|im_start|>[INST] q1 [/INST]", False),
        (" a1<|im_end|>", True),
        ("[INST] q2 [/INST]", False),
        (" a2<|im_end|>", True),
    ]


def test_a_template_that_forgets(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = FORGETFUL
    spans = conversation_spans(tokenizer, CONVERSATION[:2])
    assert [span.text for span in spans] == ["user:q1<|im_end|>assistant:", "<think></think>a1<|im_end|>"]
    with pytest.raises(HistoryError, match=r"turn 4 differently .* set sft\.template to another one"):
        conversation_spans(tokenizer, CONVERSATION)
    text = tokenizer.apply_chat_template(CONVERSATION[:3], tokenize=False, add_generation_prompt=True)
    assert prompt_ids(tokenizer, CONVERSATION[:3]) == tokenizer.encode(text, add_special_tokens=False)


def test_what_a_template_refuses_or_loses(tokenizer: PreTrainedTokenizerFast) -> None:
    with_system = [{"role": "system", "content": "be brief"}, *CONVERSATION]
    tokenizer.chat_template = INSTRUCT
    with pytest.raises(UserError, match="cannot render this conversation: only user and assistant may speak"):
        conversation_spans(tokenizer, with_system)
    tokenizer.chat_template = INSTRUCT.replace("{{ raise_exception('only user and assistant may speak') }}", "")
    with pytest.raises(UserError, match=r"leaves out what turn 1 \(system\) says"):
        conversation_spans(tokenizer, with_system)
    tokenizer.chat_template = INSTRUCT.replace(" + eos_token", "")
    with pytest.raises(UserError, match=r"does not end turn 2 with the end token <\|im_end\|>"):
        conversation_spans(tokenizer, CONVERSATION)


def test_calls_of_tools(tokenizer: PreTrainedTokenizerFast) -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "distance"}}]}
    messages = [CONVERSATION[0], call, {"role": "tool", "content": "9"}, CONVERSATION[1]]
    tokenizer.chat_template = CALLS
    spans = conversation_spans(tokenizer, messages, [TOOL])
    assert [span.text for span in spans if span.is_trained] == ['{"name": "distance"}<|im_end|>', "a1<|im_end|>"]
    tokenizer.chat_template = CALLS.replace("{% if tools %}{{ tools | tojson }}{% endif %}", "")
    with pytest.raises(UserError, match="leaves out the tools"):
        conversation_spans(tokenizer, messages, [TOOL])
    with pytest.raises(UserError, match=r"leaves out what turn 2 \(assistant\) says"):
        conversation_spans(make_tiny_tokenizer(), messages)


def test_no_blank_is_put_into_the_middle() -> None:
    """SentencePiece tokenizers put a blank before what they encode; only a conversation's start may get one."""
    vocabulary = {token: place for place, token in enumerate(["<unk>", "▁", "\n", "a", "b", "</s>"])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    backend.decoder = decoders.Metaspace(prepend_scheme="first")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="<unk>")
    ids = encode_spans(tokenizer, ["a", "b</s>", " a"])
    assert [tokenizer.convert_ids_to_tokens(span) for span in ids] == [["▁", "a"], ["b", "</s>"], ["▁", "a"]]
