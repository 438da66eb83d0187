"""Published models in transformers 4.57 and 5: the same ids and scores. What would be read otherwise is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto import CONFIG_MAPPING

import loaded_model
from lib.core.errors import UserError
from lib.models.loading import load_model, load_tokenizer
from lib.models.publishing import SAMPLE_TEXTS, check_tokenizer, complete_config, publish_model, publish_tokenizer
from tiny_families import FAMILIES, cut_like_qwen2
from tiny_model import TEXT, join_neighbours, make_tiny_model
from tokenizer_kinds import KINDS, resize, write_kind

TEXTS = [*SAMPLE_TEXTS, *TEXT, "<|im_start|>user\n你好<|im_end|>\n"]
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
YARN = {"factor": 4.0, "original_max_position_embeddings": 64}
Rope = dict[str, Any]
POSITIONS: dict[str, tuple[str, Rope]] = {
    "Llama 2": ("llama", {"rope_type": "default", "rope_theta": 10000.0}),
    "SmolLM 2": ("llama", {"rope_type": "default", "rope_theta": 100000.0}),
    "Llama 3.1": ("llama", {"rope_type": "llama3", "rope_theta": 500000.0, **LLAMA3}),
    "Mistral": ("mistral", {"rope_type": "default", "rope_theta": 1000000.0}),
    "Qwen 2.5, YaRN": ("qwen2", {"rope_type": "yarn", "rope_theta": 1000000.0, **YARN}),
    "Qwen 3": ("qwen3", {"rope_type": "default", "rope_theta": 5000000.0}),
    "SmolLM 3": ("smollm3", {"rope_type": "default", "rope_theta": 5000000.0}),
    "GLM 4": ("glm4", {"rope_type": "default", "rope_theta": 20000.0, "partial_rotary_factor": 0.25}),
    "Gemma 3": (
        "gemma3_text",
        {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 2000000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 20000.0},
        },
    ),
}
"""How families say where a token is, none by its transformers class's default."""


def make_model(directory: Path, family: str, rope: Rope, *, tied: bool) -> None:
    make_tiny_model(directory)
    if family == "qwen2":
        cut_like_qwen2(directory)
    config = CONFIG_MAPPING[family](
        vocab_size=440,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=512,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=tied,
        rope_parameters=rope,
    )
    with torch.random.fork_rng():
        torch.manual_seed(2)
        AutoModelForCausalLM.from_config(config).save_pretrained(directory)


def extend(directory: Path, new_tokens: int) -> None:
    """Give the model in `directory` more tokens."""
    file = str(directory / "tokenizer.json")
    extended = join_neighbours(Tokenizer.from_file(file), TEXT, new_tokens)
    extended.save(file)
    resize(directory, extended.get_vocab_size())


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Published directories, by what is in them."""
    sources = tmp_path_factory.mktemp("sources")
    for name, make in FAMILIES.items():
        make(sources / name)
        make(sources / f"{name}, extended")
        extend(sources / f"{name}, extended", 20)
    for name, (family, rope) in POSITIONS.items():
        for head in ("tied", "untied"):
            make_model(sources / f"{name}, {head}", family, rope, tied=head == "tied")
    for name in KINDS:
        write_kind(name, sources / name)
    target = tmp_path_factory.mktemp("published")
    for source in sources.iterdir():
        publish_model(load_model(source), target / source.name)
        publish_tokenizer(load_tokenizer(source), target / source.name)
    make_tiny_model(sources / "tokenizer alone")
    publish_tokenizer(load_tokenizer(sources / "tokenizer alone"), target / "tokenizer alone")
    return {path.name: path for path in sorted(target.iterdir())}


def test_the_same_in_transformers_4(published: dict[str, Path], tmp_path: Path) -> None:
    older, older_scores = loaded_model.in_transformers_4(
        list(published.values()), TEXTS, tmp_path / "scores.safetensors"
    )
    for (name, directory), found in zip(published.items(), older, strict=True):
        newer, scores = loaded_model.load(directory, TEXTS)
        assert found == newer, name
        assert (scores is None) == (name == "tokenizer alone")
        if scores is not None:
            assert (scores - older_scores[str(directory)]).abs().max() < 1e-4, name


def test_positions_in_the_words_of_both_versions(tmp_path: Path) -> None:
    make_model(tmp_path, "llama", POSITIONS["Llama 3.1"][1], tied=True)
    complete_config(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 500000.0
    assert config["rope_scaling"] == {"rope_type": "llama3", **LLAMA3}
    assert config["torch_dtype"] == config["dtype"] == "float32"
    before = load_model(tmp_path).config.to_dict()
    complete_config(tmp_path)  # what was published is published again by the next stage
    assert load_model(tmp_path).config.to_dict() == before
    assert json.loads((tmp_path / "config.json").read_text()) == config


def test_no_scaling_is_left_out(tmp_path: Path) -> None:
    make_model(tmp_path, "llama", POSITIONS["SmolLM 2"][1], tied=True)
    complete_config(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["rope_theta"] == 100000.0
    assert "rope_scaling" not in config


def test_a_pre_tokenizer_that_transformers_replaces(tmp_path: Path) -> None:
    """transformers 5 makes a Qwen2Tokenizer for every model of that type, whatever tokenizer_config.json says."""
    make_model(tmp_path / "source", "qwen2", POSITIONS["Qwen 3"][1], tied=True)
    make_tiny_model(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "tokenizer.json", tmp_path / "source" / "tokenizer.json")
    publish_model(load_model(tmp_path / "source"), tmp_path / "published")
    with pytest.raises(
        UserError,
        match=r"makes a Qwen2Tokenizer of this tokenizer, which reads '日本語の文、.*' .*token \d+: \d+ for \d+",
    ):
        publish_tokenizer(load_tokenizer(tmp_path / "source"), tmp_path / "published")
    # The tokenizer by itself is read as it is, beside such a model it would not be.
    publish_tokenizer(load_tokenizer(tmp_path / "other"), tmp_path / "alone")
    with pytest.raises(UserError, match="makes a Qwen2Tokenizer"):
        check_tokenizer(tmp_path / "alone", tmp_path / "published")


def test_a_token_that_tokenizer_json_lacks(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    publish_tokenizer(load_tokenizer(tmp_path), tmp_path)
    description = json.loads((tmp_path / "tokenizer_config.json").read_text())
    description["mask_token"] = "<mask>"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(description))
    assert AutoTokenizer.from_pretrained(tmp_path).mask_token_id == 400
    with pytest.raises(UserError, match=r"finds 401 tokens where tokenizer\.json has 400"):
        check_tokenizer(tmp_path)
