"""What a GGUF file says of a model, and models that it is not written for."""

import numpy as np
import pytest
from transformers import LlamaConfig, MistralConfig, Qwen2Config

from lib.base_model.gguf import rope_of_table
from lib.core.errors import UserError
from lib.export.gguf_weights import check_layout, rope_table

LLAMA31 = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def test_scaled_positions_become_the_table_that_is_read_back() -> None:
    config = LlamaConfig(rope_parameters=LLAMA31, head_dim=64, max_position_embeddings=131_072)
    table = rope_table(config)
    assert table is not None
    assert (table.shape, table[0]) == ((32,), pytest.approx(1))
    assert table.max() == pytest.approx(8)
    config.rope_parameters = {"rope_theta": 500_000.0, "rope_type": "default"}
    assert rope_of_table(table.astype(np.float64), config, "model.gguf") == LLAMA31
    assert rope_table(config) is None


def test_positions_scaled_in_another_way_are_refused() -> None:
    config = Qwen2Config(rope_parameters={"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0})
    with pytest.raises(UserError, match="scaled by 'yarn'"):
        rope_table(config)


def test_layouts_that_llama_cpp_computes_otherwise_are_refused() -> None:
    check_layout(MistralConfig())
    with pytest.raises(UserError, match="hidden_act: gelu"):
        check_layout(LlamaConfig(hidden_act="gelu"))
    with pytest.raises(UserError, match="use_sliding_window: True"):
        check_layout(Qwen2Config(use_sliding_window=True))
