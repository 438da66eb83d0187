"""What stands around a document in pretraining, by family: as the models' papers and files have it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, models, processors
from transformers import PreTrainedTokenizerFast

from lib.core.errors import UserError
from lib.core.outputs import write_json
from lib.models.document_tokens import (
    DocumentTokens,
    find_document_tokens,
    recorded_document_tokens,
    token_facts,
)

Around = tuple[list[str], list[str]]
"""Names of the tokens before and behind a document."""


def make(special: str, puts_before: str = "", **config: Any) -> PreTrainedTokenizerFast:
    """A tokenizer with the tokens `special`, divided by spaces, and "a"; `puts_before` is what begins every text."""
    backend = Tokenizer(models.BPE(vocab={"a": 0}, merges=[]))
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special.split()])
    if puts_before:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{puts_before} $A",
            special_tokens=[(token, backend.token_to_id(token)) for token in puts_before.split()],
        )
    return PreTrainedTokenizerFast(tokenizer_object=backend, **config)


def names(tokens: DocumentTokens, tokenizer: PreTrainedTokenizerFast) -> Around:
    facts = token_facts(tokens, tokenizer)
    return facts["document_start"], facts["document_end"]


LLAMA3 = "<|begin_of_text|> <|end_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|>"
CHATML = "<|endoftext|> <|im_start|> <|im_end|>"
DEEPSEEK = "<｜begin▁of▁sentence｜> <｜end▁of▁sentence｜>"
FAMILIES: dict[str, tuple[str, PreTrainedTokenizerFast, Sequence[str], str]] = {
    "Llama 2": ("llama", make("<unk> <s> </s>", "<s>", bos_token="<s>", eos_token="</s>"), ["<s>"], "</s>"),
    "Llama 3 Instruct": (
        "llama",
        make(LLAMA3, "<|begin_of_text|>", bos_token="<|begin_of_text|>", eos_token="<|eot_id|>"),
        ["<|begin_of_text|>"],
        "<|end_of_text|>",
    ),
    "Llama 3, whose first files put nothing before a text": (
        "llama",
        make(LLAMA3, bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>"),
        ["<|begin_of_text|>"],
        "<|end_of_text|>",
    ),
    "SmolLM 3": ("smollm3", make(f"{LLAMA3} <|im_end|>", eos_token="<|im_end|>"), [], "<|end_of_text|>"),
    "SmolLM 2 Instruct": ("llama", make(CHATML, bos_token="<|im_start|>", eos_token="<|im_end|>"), [], "<|endoftext|>"),
    "Qwen 3": ("qwen3", make(CHATML, eos_token="<|im_end|>", add_bos_token=False), [], "<|endoftext|>"),
    "Phi 4": ("llama", make(CHATML, bos_token="<|endoftext|>", eos_token="<|im_end|>"), [], "<|endoftext|>"),
    "Mistral with tokens for ChatML": (
        "mistral",
        make("<unk> <s> </s> <|im_start|> <|im_end|>", "<s>", bos_token="<s>", eos_token="<|im_end|>"),
        ["<s>"],
        "</s>",
    ),
    "Gemma 3 Instruct": (
        "gemma3_text",
        make("<pad> <eos> <bos> <end_of_turn>", "<bos>", bos_token="<bos>", eos_token="<end_of_turn>"),
        ["<bos>"],
        "<eos>",
    ),
    "DeepSeek, whose begin token only its configuration asks for": (
        "llama",
        make(DEEPSEEK, bos_token=DEEPSEEK.split()[0], eos_token=DEEPSEEK.split()[1], add_bos_token=True),
        ["<｜begin▁of▁sentence｜>"],
        "<｜end▁of▁sentence｜>",
    ),
    "GLM 4": (
        "glm4",
        make("<|endoftext|> [gMASK] <sop> <|user|>", "[gMASK] <sop>", eos_token="<|user|>"),
        ["[gMASK]", "<sop>"],
        "<|endoftext|>",
    ),
    "InternLM 2": ("llama", make("<unk> <s> </s> <|im_end|>", "<s>", eos_token="<|im_end|>"), ["<s>"], "</s>"),
    "a tokenizer with an end token of its own": ("llama", make("<stop>", eos_token="<stop>"), [], "<stop>"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_documents_are_as_the_base_was_pretrained(family: str) -> None:
    model_type, tokenizer, start, end = FAMILIES[family]
    assert names(find_document_tokens(tokenizer, model_type), tokenizer) == (list(start), [end])


@pytest.mark.parametrize(
    ("start", "end", "around"),
    [
        ("none", "auto", ([], ["<|end_of_text|>"])),
        ("auto", "none", (["<|begin_of_text|>"], [])),
        ("<|eot_id|><|begin_of_text|>", "<|eot_id|>", (["<|eot_id|>", "<|begin_of_text|>"], ["<|eot_id|>"])),
    ],
)
def test_settings_come_first(start: str, end: str, around: Around) -> None:
    _, tokenizer, *_ = FAMILIES["Llama 3 Instruct"]
    assert names(find_document_tokens(tokenizer, "llama", start, end), tokenizer) == around


@pytest.mark.parametrize("named", ["</s>", "a", "<|eot_id|>a"])
def test_a_setting_that_names_no_special_token(named: str) -> None:
    _, tokenizer, *_ = FAMILIES["Llama 3 Instruct"]
    with pytest.raises(UserError, match=r"base_model\.document_end is .*; it has <\|begin_of_text\|>, "):
        find_document_tokens(tokenizer, "llama", end=named)


def test_documents_with_nothing_between_them() -> None:
    with pytest.raises(UserError, match=r"name one in base_model\.document_end"):
        find_document_tokens(make(""), "llama")


def test_what_stands_before_a_document() -> None:
    tokens = DocumentTokens((1,), (2,))
    assert (tokens.between, tokens.before) == ([2, 1], [1])
    tokens = DocumentTokens((), (2,))
    assert (tokens.between, tokens.before) == ([2], [2])


def test_what_the_manifest_records_is_found_in_a_longer_vocabulary(tmp_path: Path) -> None:
    model_type, tokenizer, *_ = FAMILIES["GLM 4"]
    tokens = find_document_tokens(tokenizer, model_type)
    write_json(tmp_path / "manifest.json", {"facts": token_facts(tokens, tokenizer)})
    longer = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    longer.add_tokens(["new"])
    assert recorded_document_tokens(tmp_path / "manifest.json", longer) == tokens
    with pytest.raises(UserError, match=r"names .*, which the tokenizer lacks"):
        recorded_document_tokens(tmp_path / "manifest.json", make("<s>").backend_tokenizer)
