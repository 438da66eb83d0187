"""A published model as a GGUF file."""

from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGML_QUANT_VERSION, GGUFWriter
from transformers import AutoConfig, GenerationConfig, PreTrainedTokenizerFast

from lib.core.errors import UserError
from lib.export.gguf_types import F32, FILE_TYPES, FileType, check_available, packed, type_of
from lib.export.gguf_vocabulary import Vocabulary, vocabulary_of
from lib.export.gguf_weights import (
    ROPE_TABLE,
    architecture_name,
    check_layout,
    rope_table,
    weights_of,
    write_model_fields,
)


def write_gguf(
    directory: Path, tokenizer: PreTrainedTokenizerFast, path: Path, file_type: FileType, name: str, license_name: str
) -> Vocabulary:
    """Write the model in `directory`, called `name`, to `path`, one tensor at a time; returns what is said of tokens.

    Raises UserError, with the reason, for a model or a tokenizer that llama.cpp would compute or read text otherwise.
    """
    check_available(file_type)
    config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
    check_layout(config)
    table, weights = rope_table(config), weights_of(directory, config)
    vocabulary = vocabulary_of(tokenizer, config.vocab_size, end_ids(directory))

    writer = GGUFWriter(path, architecture_name(config))
    writer.add_name(name)
    if license_name:
        writer.add_license(license_name)
    writer.add_type("model")
    writer.add_quantization_version(GGML_QUANT_VERSION)
    writer.add_file_type(FILE_TYPES[file_type])
    write_model_fields(writer, config, config.vocab_size)
    vocabulary.write(writer)
    layers, tied = config.num_hidden_layers, bool(config.tie_word_embeddings)
    kinds = [type_of(weight.name, weight.shape, file_type, layers, tied=tied) for weight in weights]
    if table is not None:
        writer.add_tensor_info(ROPE_TABLE, table.shape, table.dtype, table.nbytes, raw_dtype=F32)
    for weight, kind in zip(weights, kinds, strict=True):
        block, size = GGML_QUANT_SIZES[kind]
        number = int(np.prod(weight.shape)) // block * size
        writer.add_tensor_info(weight.name, weight.shape, np.dtype(np.float32), number, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    if table is not None:
        writer.write_tensor_data(table)
    for weight, kind in zip(weights, kinds, strict=True):
        writer.write_tensor_data(packed(weight.load(), kind, weight.name))
    writer.close()
    return vocabulary


def end_ids(directory: Path) -> list[int]:
    """Ids of the tokens that end an answer, by the model's generation settings."""
    try:
        ends = GenerationConfig.from_pretrained(directory).eos_token_id
    except OSError:
        raise UserError(f"{directory} has no generation_config.json") from None
    return [number for number in (ends if isinstance(ends, list) else [ends]) if number is not None]
