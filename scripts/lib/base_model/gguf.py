"""GGUF files (llama.cpp's format) as Hugging Face models and tokenizers.

transformers unpacks the weights. What it leaves out is done here: a check of the whole file before anything is
built, and the pre-tokenizer that `tokenizer.ggml.pre` names.
"""

import io
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

import torch
from gguf import GGUFReader
from tokenizers import decoders, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    GgufConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

from lib.core.errors import UserError

MAGIC = b"GGUF"
# Names that llama.cpp (src/llama-vocab.cpp) gives to: numerals one by one, then GPT-2's pattern.
SINGLE_DIGITS = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"}
# Names for GPT-2's pattern alone, which is what transformers builds when it knows nothing better.
PLAIN = {"", "default", "gpt-2", "mpt", "olmo", "jais", "trillion", "phi-2", "gigachat", "exaone4", "granite-docling"}
SAMPLE_TEXT = "In 1522, the ship came home.\n\n  It's 37 °C;  第一回：宴桃園豪傑三結義 🙂"


@dataclass(frozen=True)
class GgufModel:
    """What a GGUF file holds, in transformers' terms."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    license: str | None
    warnings: list[str]


def is_gguf(path: Path) -> bool:
    """Whether a file is one in GGUF, by its ending or its first bytes."""
    if path.suffix.lower() == ".gguf":
        return True
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def load_gguf(path: Path, dtype: torch.dtype) -> GgufModel:
    """The model in a GGUF file, unpacked to `dtype`, and its tokenizer.

    Raises UserError when the file is not GGUF, is cut off, or holds a kind of model that cannot be loaded.
    """
    metadata = read_metadata(path)
    where = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name, "trust_remote_code": False}
    try:
        with redirect_stderr(io.StringIO()):  # transformers' GGUF reader has no other way to be rid of its progress bar
            model, loading = AutoModelForCausalLM.from_pretrained(
                **where, dtype=dtype, quantization_config=GgufConfig(dequantize=True), output_loading_info=True
            )
            tokenizer = AutoTokenizer.from_pretrained(**where)
    except Exception as error:  # whatever transformers makes of a model that it does not know
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: transformers cannot load this GGUF model: {reason}") from None
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])
        raise UserError(f"{path}: the weights lack {len(missing)} tensors of the model, {missing[0]} among them")
    # A file with packed weights is marked as quantized, and save_pretrained refuses to write such a model.
    model.hf_quantizer = None
    model.config.__dict__.pop("quantization_config", None)
    model.generation_config = GenerationConfig()

    warnings: list[str] = []
    if metadata.get("tokenizer.ggml.model") == "gpt2":
        pre = str(metadata.get("tokenizer.ggml.pre", ""))
        if not set_pre_tokenizer(tokenizer, pre):
            warnings.append(f"{path.name} names an unknown pre-tokenizer, {pre!r}; text is split by GPT-2's pattern")
    tokenizer = _plain_tokenizer(tokenizer, model.config.max_position_embeddings)
    if tokenizer.decode(tokenizer.encode(SAMPLE_TEXT, add_special_tokens=False)) != SAMPLE_TEXT:
        warnings.append(f"the tokenizer of {path.name} does not give every text back as it was")
    license_name = metadata.get("general.license")
    return GgufModel(model, tokenizer, str(license_name) if license_name else None, warnings)


def read_metadata(path: Path) -> dict[str, object]:
    """The single values among a GGUF file's metadata; UserError unless every tensor lies within the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic != MAGIC:
        raise UserError(f"{path}: not a GGUF file (it starts with {magic!r}, not {MAGIC!r})")
    try:
        reader = GGUFReader(path)
        end = max((int(tensor.data_offset) + int(tensor.n_bytes) for tensor in reader.tensors), default=0)
        names = {tensor.name for tensor in reader.tensors}
        metadata = {key: field.contents() for key, field in reader.fields.items() if len(field.data) == 1}
    except Exception as error:  # on a torn file the reader fails wherever it happens to be
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: the GGUF file is cut off or damaged ({size:,} bytes: {reason})") from None
    if end > size:
        raise UserError(f"{path}: the GGUF file is cut off: {size:,} bytes of at least {end:,}")
    if not names:
        raise UserError(f"{path}: the GGUF file holds no weights")
    if "rope_freqs.weight" in names:
        # Dropping these would leave a model that works, only worse: its positions are scaled by them.
        raise UserError(
            f"{path}: this GGUF scales its rotary positions with a table (Llama 3.1 and later), which transformers "
            "does not read; use the model's safetensors directory instead"
        )
    return metadata


def set_pre_tokenizer(tokenizer: PreTrainedTokenizerFast, pre: str) -> bool:
    """Split text as llama.cpp does for `tokenizer.ggml.pre`; False when that name is not known here."""
    backend = tokenizer.backend_tokenizer
    backend.decoder = decoders.ByteLevel()
    if pre in SINGLE_DIGITS:
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    return pre in SINGLE_DIGITS or pre in PLAIN or pre in GGUF_PRE_TOKENIZER_SPLITS


def _plain_tokenizer(tokenizer: PreTrainedTokenizerFast, length: int) -> PreTrainedTokenizerFast:
    """The same tokenizer without a memory of the file and folder that it was read from."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        bos_token=tokenizer.bos_token,
        eos_token=tokenizer.eos_token,
        unk_token=tokenizer.unk_token,
        pad_token=tokenizer.pad_token,
        chat_template=tokenizer.chat_template,
        clean_up_tokenization_spaces=False,
        model_max_length=length,
    )
