"""Where byte-level text is cut up before merging, by the name that a GGUF file gives in `tokenizer.ggml.pre`.

What the names stand for is written in llama.cpp (src/llama-vocab.cpp) and in the models' own tokenizer.json.
"""

from collections.abc import Sequence

from tokenizers import Regex, normalizers, pre_tokenizers
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

DEFAULT = "default"
"""What llama.cpp makes of a file without a name."""

GPT2 = "GPT-2's pattern"  # which ByteLevel has built in
SINGLE_DIGITS = r"\p{N}"
LLAMA3, QWEN2 = GGUF_PRE_TOKENIZER_SPLITS["llama-bpe"], GGUF_PRE_TOKENIZER_SPLITS["qwen2"]
EAST_ASIAN = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
DEEPSEEK_LLM = (
    "[\r\n]",
    r"\s?[\p{Lu}\p{Ll}\p{Lt}]+",
    "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
    r"\s+$",
    EAST_ASIAN,
    SINGLE_DIGITS,
)
DEEPSEEK_V3 = (
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
)
SEED_CODER = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_NAMES: Sequence[tuple[str, Sequence[str]]] = (
    ("gpt-2 phi-2 mpt olmo jais trillion gigachat a.x-4.0 mellum exaone4 granite-docling", (GPT2,)),
    ("smollm starcoder refact command-r codeshell exaone minerva-7b mellum2", (SINGLE_DIGITS, GPT2)),
    ("glm4 chatglm-bpe", (LLAMA3,)),
    ("stablelm2 hunyuan solar-open grok-2", (QWEN2,)),
    ("deepseek-llm", DEEPSEEK_LLM),
    ("deepseek-coder", ("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", EAST_ASIAN, SINGLE_DIGITS)),
    ("deepseek-v3 hunyuan-dense joyai-llm", DEEPSEEK_V3),
    ("seed-coder", (SEED_CODER,)),
    ("falcon", (r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]")),
    (DEFAULT, (r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]")),
)
PATTERNS: dict[str, Sequence[str]] = {
    **{name: (pattern,) for name, pattern in GGUF_PRE_TOKENIZER_SPLITS.items()},
    **{name: patterns for names, patterns in _NAMES for name in names.split()},
}
"""Patterns by name; each cuts what the one before has left."""
COMPOSED = {"qwen2", "qwen35", "deepseek-r1-qwen", "f2llmv2"}
"""Names of tokenizers that first bring text into Unicode's composed form (NFC), as Qwen's do."""
TOKENS_FIRST = {
    *("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"),
    "tekken",
}
"""Names of tokenizers that keep a piece whole that is a token, whatever the merges make of it.

Unless the file says otherwise, text begins with the begin token.
"""


def normalizer(name: str) -> normalizers.Normalizer | None:
    """What is done to text before it is cut up."""
    return normalizers.NFC() if name in COMPOSED else None


def pre_tokenizer(name: str) -> pre_tokenizers.PreTokenizer:
    """The pre-tokenizer that a name in PATTERNS stands for."""
    steps = [_step(pattern) for pattern in PATTERNS[name]]
    if GPT2 not in PATTERNS[name]:
        steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    return pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]


def _step(pattern: str) -> pre_tokenizers.PreTokenizer:
    if pattern == GPT2:
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if pattern == SINGLE_DIGITS:
        return pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated")
