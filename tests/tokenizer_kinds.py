"""Tokenizers as models on the hub have them: what tokenizer.json says, and the class that a configuration names."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers, processors
from transformers import AutoModelForCausalLM
from transformers.convert_slow_tokenizer import SpmConverter

from lib.models.publishing import SAMPLE_TEXTS
from tiny_families import LLAMA3
from tiny_model import join_neighbours, make_tiny_model, make_tiny_tokenizer, write_sentencepiece


def split_digits(directory: Path) -> Tokenizer:
    """SmolLM 2: numbers digit by digit, then as GPT-2 cuts."""
    tokenizer = byte_level()
    tokenizer.pre_tokenizer = make_tiny_tokenizer().backend_tokenizer.pre_tokenizer
    return tokenizer


def byte_level() -> Tokenizer:
    """GPT-2's kind, with tokens for parts of numbers and code that other ways to cut never yield."""
    tokenizer = make_tiny_tokenizer().backend_tokenizer
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    for _ in range(3):
        tokenizer = join_neighbours(tokenizer, SAMPLE_TEXTS[:3], 30)
    return tokenizer


def cut_in_threes(directory: Path) -> Tokenizer:
    """Phi 4: a pattern of its own in the place of GPT-2's."""
    tokenizer = byte_level()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def with_space_before(directory: Path) -> Tokenizer:
    """A byte-level tokenizer that begins every text with a space."""
    tokenizer = byte_level()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


def sentencepiece(directory: Path, *, legacy: bool) -> Tokenizer:
    write_sentencepiece(directory / "tokenizer.model")
    proto: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    proto.ParseFromString((directory / "tokenizer.model").read_bytes())
    (directory / "tokenizer.model").unlink()
    vocabulary = {piece.piece: number for number, piece in enumerate(proto.pieces)}
    tokenizer = SpmConverter.build_tokenizer_from_spm_proto(proto, vocabulary, legacy=legacy)
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in ("<unk>", "<s>", "</s>")])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def llama_2(directory: Path) -> Tokenizer:
    """A space before each stretch of text between special tokens."""
    return sentencepiece(directory, legacy=True)


def llama_2_new(directory: Path) -> Tokenizer:
    """A space before the first stretch of text alone."""
    return sentencepiece(directory, legacy=False)


def yi(directory: Path) -> Tokenizer:
    """No space before any text, and no begin token."""
    tokenizer = sentencepiece(directory, legacy=True)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = None
    tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    return tokenizer


GPT2 = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
SPM = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True, "add_eos_token": False}
KINDS: dict[str, tuple[Callable[[Path], Tokenizer], dict[str, Any]]] = {
    "SmolLM 2": (split_digits, {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False, **GPT2}),
    "Phi 4": (cut_in_threes, {"tokenizer_class": "GPT2Tokenizer", **GPT2}),
    "a space before": (with_space_before, {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True, **GPT2}),
    "a space before, not named": (with_space_before, {"tokenizer_class": "PreTrainedTokenizerFast", **GPT2}),
    "Llama 2, legacy": (llama_2, {"tokenizer_class": "LlamaTokenizer", "legacy": True, **SPM}),
    "Llama 2, not legacy": (llama_2_new, {"tokenizer_class": "LlamaTokenizer", "legacy": False, **SPM}),
    "Llama 2, unsaid": (llama_2, {"tokenizer_class": "LlamaTokenizerFast", **SPM}),
    "Yi": (yi, {"tokenizer_class": "LlamaTokenizer", "add_bos_token": False, "sp_model_kwargs": {}}),
    "Qwen's class": (split_digits, {"tokenizer_class": "Qwen2Tokenizer", **GPT2}),
    "any": (cut_in_threes, {"tokenizer_class": "TokenizersBackend", "backend": "tokenizers", **GPT2}),
    "no class": (cut_in_threes, GPT2),
}
READ_OTHERWISE = {"SmolLM 2", "Phi 4", "Llama 2, legacy", "Llama 2, unsaid", "Yi", "Qwen's class"}
"""Kinds that AutoTokenizer of transformers 5 reads otherwise than tokenizer.json says."""


def write_kind(name: str, directory: Path) -> Tokenizer:
    """A Llama model with a tokenizer of the kind, as it might be published; returns what tokenizer.json holds."""
    make_tiny_model(directory)
    for file in directory.glob("*token*"):
        file.unlink()
    make, settings = KINDS[name]
    tokenizer = make(directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    resize(directory, tokenizer.get_vocab_size())
    return tokenizer


def resize(directory: Path, rows: int) -> None:
    """Give the model in `directory` as many embedding rows."""
    model = AutoModelForCausalLM.from_pretrained(directory)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model.resize_token_embeddings(rows, mean_resizing=False)
    model.save_pretrained(directory)
