"""Random models of the families that the settings files in config/ are for, with tokenizers of their shape.

What matters to a pipeline differs between them: how text is cut (punctuation goes with the letters behind it, numbers
in threes or digit by digit, a normalizer first), which tokens begin, end and pad, that special tokens stand behind the
vocabulary, that the embedding has rows which no token uses, and whether the head is tied.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

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


def _write(directory: Path, family: str, tokenizer: PreTrainedTokenizerFast, *, tied: bool) -> None:
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
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.generation_config = GenerationConfig(**ends)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
