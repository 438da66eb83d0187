"""What a base lacks to be trained on conversations."""

from tokenizers import AddedToken, Tokenizer, processors

from lib.chat.known_templates import TEMPLATES
from lib.tokenizer.control_tokens import Completion, completion
from tokenizers_to_extend import byte_level, sentencepiece_legacy


def with_special(*names: str) -> Tokenizer:
    tokenizer = byte_level()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    return tokenizer


def test_nothing_is_added_to_a_complete_base() -> None:
    config = {"pad_token": "<pad>", "eos_token": {"content": "</s>"}}
    assert completion(with_special("<pad>", "</s>"), config, True, "chatml") == Completion()


def test_pad_token_is_never_the_end_token() -> None:
    end = {"eos_token": "<|endoftext|>"}
    for config in (end, end | {"pad_token": "<|endoftext|>"}, end | {"pad_token": {"content": "<|endoftext|>"}}):
        found = completion(with_special("<|endoftext|>"), config, True, "chatml")
        assert found == Completion(("<|pad|>",), "<|pad|>")
        found = completion(with_special("<|endoftext|>", "[PAD]"), config, True, "chatml")
        assert found == Completion((), "[PAD]")


def test_template_with_its_tokens() -> None:
    config = {"pad_token": "<pad>", "eos_token": "</s>"}
    found = completion(with_special("<pad>", "</s>", "<|im_end|>"), config, False, "chatml")
    assert found == Completion(("<|im_start|>",), None, TEMPLATES["chatml"].text)
    assert completion(with_special("<pad>", "</s>"), config, False, "none") == Completion()
    assert completion(with_special("<pad>", "</s>"), config, False, "article").tokens == ()


def test_template_begins_as_the_tokenizer_begins_texts() -> None:
    tokenizer = sentencepiece_legacy()
    config = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    plain = completion(tokenizer, config, False, "chatml")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    begun = completion(tokenizer, config, False, "chatml")
    assert begun.chat_template == "{{ bos_token }}" + str(plain.chat_template)
    assert plain.tokens == begun.tokens == ("<|im_start|>", "<|im_end|>", "<|pad|>")
