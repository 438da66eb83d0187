"""Loading models and tokenizers: local files in safetensors only, no code from the model's folder."""

import json
import os
import warnings
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
import transformers
from tokenizers import AddedToken
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from lib.core.errors import UserError
from lib.core.integrity import require_intact
from lib.models.attention import use_exact_attention
from lib.models.compute import FORMATS, Precision
from lib.models.tokenizer_files import TOKENIZER_FILES

Quantization = Literal["none", "8bit", "4bit"]
WEIGHTS_AND_CONFIGS = ("*.safetensors", "*.json")


def quiet_libraries() -> None:
    """Leave the terminal to the pipeline's own lines: no progress bars and notices of the libraries."""
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning)


def load_tokenizer(directory: Path) -> PreTrainedTokenizerFast:
    """The tokenizer in `directory`: what its tokenizer.json says, whatever class the configuration names.

    transformers' classes for single models take the vocabulary out of tokenizer.json and cut text in a way of their
    own. Names of special tokens and the chat template come from the other files. A tokenizer.model is converted where
    there is no tokenizer.json. Without both, the tokenizer is what transformers builds for the model. Raises UserError
    when a manifest describes other files.
    """
    require_intact(directory, *TOKENIZER_FILES)
    file, config = directory / "tokenizer.json", directory / "tokenizer_config.json"
    if not file.is_file():
        if (directory / "tokenizer.model").is_file():
            # With `legacy: false`, a text that begins with a space would lose it.
            return PreTrainedTokenizerFast.from_pretrained(directory, legacy=True)
        return AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    settings: dict[str, Any] = {}
    if config.is_file() and "added_tokens_decoder" in json.loads(config.read_text("utf-8")):
        # It would be taken in the place of the added tokens that tokenizer.json describes.
        added = json.loads(file.read_text("utf-8")).get("added_tokens", [])
        settings["added_tokens_decoder"] = {token.pop("id"): AddedToken(**token) for token in added}
    tokenizer = PreTrainedTokenizerFast.from_pretrained(directory, **settings)
    # A length to cut or fill texts to belongs to a single call. Some published tokenizers hold one.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def load_model(
    directory: Path,
    device: torch.device | str = "cpu",
    quantization: BitsAndBytesConfig | None = None,
    dtype: torch.dtype | Literal["auto"] = "auto",
) -> PreTrainedModel:
    """The causal language model saved in `directory`, in `dtype`: `auto` is the one that it is saved in.

    With `quantization`, linear layers are loaded in fewer bits. Raises UserError when a manifest describes other files.
    """
    require_intact(directory, *WEIGHTS_AND_CONFIGS)
    use_exact_attention()
    model = AutoModelForCausalLM.from_pretrained(
        directory,
        trust_remote_code=False,
        use_safetensors=True,
        device_map={"": str(device)},
        dtype=dtype,
        quantization_config=quantization,
    )
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # On a processor, bitsandbytes would pack the weights at the first evaluation for a product that has no
            # gradient, and training would go on with wrong ones.
            module.support_avx512bf16_for_cpu = False
    return model


def fewer_bits(bits: Quantization, precision: Precision, int8_threshold: float) -> BitsAndBytesConfig | None:
    """How linear layers are loaded: in 8 bits (LLM.int8) or 4 bits (NF4, double quantization), or as they are.

    Computations are in `precision`; with 8 bits, inputs beyond `int8_threshold` are multiplied unquantized.
    """
    if bits == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_threshold=int8_threshold)
    if bits == "4bit":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=FORMATS[precision],
        )
    return None


def check_sizes(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Raise UserError unless the tokenizer, embedding, head and configuration agree on the vocabulary."""
    rows = model.get_input_embeddings().weight.shape[0]
    head = model.get_output_embeddings().weight.shape[0]
    if not (len(tokenizer) <= rows == head == model.config.vocab_size):
        raise UserError(
            f"vocabulary sizes disagree: tokenizer {len(tokenizer)}, embedding {rows}, head {head}, "
            f"config {model.config.vocab_size}"
        )


def agree_on_padding(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Have the configuration of `model` name the tokenizer's padding token, or none where it has none."""
    model.config.pad_token_id = tokenizer.pad_token_id
    if model.generation_config is not None and tokenizer.pad_token_id is not None:
        model.generation_config.pad_token_id = tokenizer.pad_token_id
