"""Random models of the families that can be adapted, with tokenizers of their shape.

What matters to a pipeline differs between them: how text is cut (punctuation goes with the letters behind it, numbers
in threes or digit by digit, a normalizer first), which tokens begin, end and pad, that special tokens stand behind the
vocabulary, that the embedding has rows which no token uses, and whether the head is tied.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedTokenizerFast
from transformers.models.auto import CONFIG_MAPPING

from tiny_model import CHAT_TEMPLATE, TEXT, VOCABULARY

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
QWEN = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3_TEMPLATE = """\
{% for message in messages %}\
{{ (bos_token if loop.first else '') + '<|start_header_id|>' + message['role'] + '<|end_header_id|>

' + message['content'] + '<|eot_id|>' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>

' }}{% endif %}"""


def qwen3(directory: Path) -> None:
    """The head tied to the embedding, and norms on queries and keys."""
    _write(directory, "qwen3", _qwen_tokenizer(), tied=True)


def qwen2(directory: Path) -> None:
    """A head of its own, and biases on queries, keys and values."""
    _write(directory, "qwen2", _qwen_tokenizer(), tied=False)


def llama3(directory: Path) -> None:
    """A head of its own; the tokenizer has no pad token, and a run of text that is a token is taken whole."""
    special = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    backend = _byte_level(LLAMA3, special, ignore_merges=True)
    begin = special[0]
    backend.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, backend.token_to_id(begin))]),
        ]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=begin, eos_token=special[-1], chat_template=LLAMA3_TEMPLATE
    )
    _write(directory, "llama", tokenizer, tied=False)


FAMILIES: dict[str, Callable[[Path], None]] = {
    "qwen3-0.6b": qwen3,
    "qlora-7b-24gb": qwen2,
    "llama3-8b-slurm": llama3,
}
"""By the settings file that trains a large one."""


def gemma3(directory: Path) -> None:
    """Positions of two kinds, an embedding that is scaled, and a SentencePiece vocabulary without a leading space."""
    _write(
        directory,
        "gemma3_text",
        _scored_tokenizer(("<pad>", "<eos>", "<bos>"), "<end_of_turn>", leading_space=False),
        tied=True,
        query_pre_attn_scalar=16,
        sliding_window=32,
        layer_types=["sliding_attention", "full_attention"] * 2,
    )


def qwen3_moe(directory: Path) -> None:
    """Experts, of which a token passes through two."""
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
    _write(directory, "qwen3_moe", _qwen_tokenizer(), tied=False, **experts)


def qwen3_5(directory: Path) -> None:
    """Every other layer is a recurrence in the place of attention."""
    heads = {f"linear_num_{kind}_heads": 2 for kind in ("key", "value")}
    widths = {f"linear_{kind}_head_dim": 16 for kind in ("key", "value")}
    _write(directory, "qwen3_5_text", _qwen_tokenizer(), tied=True, full_attention_interval=2, **heads, **widths)


def glm4(directory: Path) -> None:
    """Two tokens before every text, and rotated positions on half of a head."""
    backend = _byte_level(LLAMA3, ("<|endoftext|>", "[MASK]", "[gMASK]", "<sop>", "<|im_start|>", "<|im_end|>"))
    _begin_with(backend, "[gMASK]", "<sop>")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template="[gMASK]<sop>" + CHAT_TEMPLATE,
    )
    _write(directory, "glm4", tokenizer, tied=False)


def phi4(directory: Path) -> None:
    """Phi 4 in Llama's form: one token that begins, ends and pads, and an end of turns of its own."""
    backend = _byte_level(LLAMA3, ("<|endoftext|>", "<|im_start|>", "<|im_sep|>", "<|im_end|>"))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|endoftext|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
    )
    _write(directory, "llama", tokenizer, tied=False)


def internlm(directory: Path) -> None:
    """InternLM in Llama's form: a SentencePiece vocabulary, with tokens for chats behind it."""
    _write(
        directory, "llama", _scored_tokenizer(("<unk>", "</s>", "<s>"), "<|im_end|>", leading_space=True), tied=False
    )


OTHERS: dict[str, Callable[[Path], None]] = {
    "gemma3": gemma3,
    "qwen3_moe": qwen3_moe,
    "qwen3_5": qwen3_5,
    "glm4": glm4,
    "phi4": phi4,
    "internlm": internlm,
}
"""Families that no settings file is for."""


def cut_like_qwen2(directory: Path) -> None:
    """Give the tokenizer in `directory` the normalizer and pre-tokenizer of Qwen 2, which transformers 5 insists on."""
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.save(str(directory / "tokenizer.json"))


def _qwen_tokenizer() -> PreTrainedTokenizerFast:
    backend = _byte_level(QWEN, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    backend.normalizer = normalizers.NFC()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHAT_TEMPLATE
    )


def _byte_level(pattern: str, special: Sequence[str], *, ignore_merges: bool = False) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def _scored_tokenizer(
    special: tuple[str, str, str], end_of_turn: str, *, leading_space: bool
) -> PreTrainedTokenizerFast:
    """BPE with bytes for unknown characters; `special` pads (or is unknown), ends and begins."""
    learner = Tokenizer(models.BPE(unk_token=special[0]))
    learner.pre_tokenizer = pre_tokenizers.Metaspace(split=True)
    learner.train_from_iterator(TEXT[:7], trainers.BpeTrainer(vocab_size=150, show_progress=False))
    description = json.loads(learner.to_str())["model"]
    tokens = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *description["vocab"]]
    backend = Tokenizer(
        models.BPE(
            vocab={token: number for number, token in enumerate(dict.fromkeys(tokens))},
            merges=[tuple(merge) for merge in description["merges"]],
            unk_token=special[0],
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    steps = [normalizers.Replace(" ", "▁")]
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), *steps] if leading_space else steps)
    strip = [decoders.Strip(" ", 1, 0)] if leading_space else []
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip])
    own = (*special, "<|im_start|>", end_of_turn)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in own])
    _begin_with(backend, special[2])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=special[2],
        eos_token=end_of_turn,
        pad_token=None if leading_space else special[0],
        unk_token=special[0],
        chat_template="{{ bos_token }}" + CHAT_TEMPLATE.replace("<|im_end|>", end_of_turn),
    )


def _begin_with(backend: Tokenizer, *tokens: str) -> None:
    backend.post_processor = processors.TemplateProcessing(
        single=" ".join([*tokens, "$A"]), special_tokens=[(token, backend.token_to_id(token)) for token in tokens]
    )


def _write(directory: Path, family: str, tokenizer: PreTrainedTokenizerFast, *, tied: bool, **more: Any) -> None:
    ends = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = CONFIG_MAPPING[family](
        vocab_size=len(tokenizer) + 13,  # rows that no token uses
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
        tie_word_embeddings=tied,
        **ends,
        **more,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.generation_config = GenerationConfig(**ends)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
