"""Loading models and tokenizers: local files in safetensors only, no code from the model's folder."""

import os
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from lib.errors import UserError
from lib.processes import local_rank

Precision = Literal["fp32", "bf16", "fp16"]
Quantization = Literal["none", "8bit", "4bit"]


def quiet_libraries() -> None:
    """Leave the terminal to the pipeline's own lines: no progress bars and notices of the libraries."""
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning)


def pick_device(gpu: int) -> torch.device:
    """This process's device when a node has `gpu` GPUs, 0 for none; UserError when fewer than that are there.

    From then on a GPU computes the same every time.
    """
    if gpu == 0:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError(f"settings: gpu is {gpu}, but no GPU can be used here; set gpu to 0 or check the driver")
    if gpu > torch.cuda.device_count():
        raise UserError(f"settings: gpu is {gpu}, but {torch.cuda.device_count()} can be used here; lower gpu")
    _compute_the_same_every_time()
    return torch.device("cuda", local_rank())


def _compute_the_same_every_time() -> None:
    """Have CUDA sum in a fixed order; by default, some kernels add as their threads come."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # It would write every tensor once before it is used, to show mistakes.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def pick_precision(requested: Literal["auto", "fp32", "bf16", "fp16"], device: torch.device) -> Precision:
    """`auto` resolved for the hardware: bf16 where the processor computes in it, then fp16 on a GPU, else fp32."""
    if requested != "auto":
        return requested
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"


def arithmetic(precision: Precision, device: torch.device) -> torch.autocast | nullcontext[None]:
    """A block in which matrix products are computed in `precision`."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)


def load_tokenizer(directory: Path) -> PreTrainedTokenizerFast:
    """The tokenizer saved in `directory`."""
    return AutoTokenizer.from_pretrained(directory, trust_remote_code=False)


def load_model(
    directory: Path,
    device: torch.device | str = "cpu",
    quantization: BitsAndBytesConfig | None = None,
    dtype: torch.dtype | Literal["auto"] = "auto",
) -> PreTrainedModel:
    """The causal language model saved in `directory`, in `dtype`: `auto` is the one that it is saved in.

    With `quantization`, linear layers are loaded in fewer bits.
    """
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
            bnb_4bit_compute_dtype={"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision],
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


def document_separator(tokenizer: PreTrainedTokenizerFast) -> int:
    """Id of the token between documents: `<|endoftext|>` where the vocabulary has it, else the end token."""
    vocabulary = tokenizer.get_vocab()
    separator = vocabulary.get("<|endoftext|>", tokenizer.eos_token_id)
    if separator is None:
        raise UserError("the tokenizer has no end-of-sequence token; add one to its tokenizer_config.json")
    return int(separator)
