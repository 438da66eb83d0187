"""Meta's checkpoints: the same numbers after conversion, and nothing of a pickle is ever run."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from meta_model import Parameters, logits, random_weights, save_checkpoint
from transformers import LlamaForCausalLM

from lib.base_model.meta_checkpoint import config_of, converted, is_meta_checkpoint, open_shards
from lib.core.errors import UserError

IDS = [3, 14, 15, 92, 65, 35, 89, 79, 32, 38, 46, 26] * 8
GROUPED = Parameters()
EVERY_HEAD_ITS_OWN = Parameters(n_kv_heads=8, rope_theta=500_000.0)
SCALED = Parameters(rope_theta=500_000.0, use_scaled_rope=True)


def load(directory: Path) -> LlamaForCausalLM:
    """The checkpoint as transformers' model."""
    shards = open_shards(directory)
    config = config_of(json.loads((directory / "params.json").read_text()), shards, "params.json")
    model = LlamaForCausalLM(config).eval()
    shapes = {name: weight.shape for name, weight in model.named_parameters()}
    weights = dict(converted(shards, config, shapes, "checkpoint"))
    assert weights.keys() == shapes.keys()
    model.load_state_dict(weights, strict=not config.tie_word_embeddings)
    return model


def edit(directory: Path, **values: Any) -> None:
    path = directory / "params.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("vocabulary_parallel", [False, True])
@pytest.mark.parametrize("parameters", [GROUPED, EVERY_HEAD_ITS_OWN, SCALED], ids=["grouped", "own heads", "scaled"])
def test_logits_are_those_of_the_reference(
    tmp_path: Path, parameters: Parameters, ranks: int, vocabulary_parallel: bool
) -> None:
    weights = random_weights(parameters)
    save_checkpoint(tmp_path, parameters, weights, ranks, vocabulary_parallel)
    assert is_meta_checkpoint(tmp_path)
    with torch.no_grad():
        ours = load(tmp_path)(torch.tensor([IDS])).logits[0]
    reference = logits(parameters, weights, IDS)
    assert torch.allclose(ours, reference, atol=1e-4)
    assert reference.std() > 0.1


def test_positions_that_are_scaled_otherwise_give_other_logits() -> None:
    weights = random_weights(SCALED)
    plain = dataclasses.replace(SCALED, use_scaled_rope=False)
    difference = (logits(SCALED, weights, IDS) - logits(plain, weights, IDS)).abs().max()
    assert difference > 1e-2


@pytest.mark.parametrize("left_out", [False, True], ids=["the same once more", "left out"])
def test_tied_head(tmp_path: Path, left_out: bool) -> None:
    weights = random_weights(SCALED)
    weights["output.weight"] = weights["tok_embeddings.weight"]
    stored = {name: tensor for name, tensor in weights.items() if not (left_out and name == "output.weight")}
    save_checkpoint(tmp_path, SCALED, stored, ranks=2, vocabulary_parallel=True)
    model = load(tmp_path)
    assert model.config.tie_word_embeddings
    assert model.config.rope_parameters["factor"] == 32
    with torch.no_grad():
        assert torch.allclose(
            model(torch.tensor([IDS])).logits[0], logits(SCALED, weights, IDS, rope_factor=32.0), atol=1e-4
        )


@pytest.mark.parametrize(
    ("parameters", "frequencies", "length"),
    [
        (GROUPED, "layers.0.attention.inner_attention.rope.freqs", 2048),
        (GROUPED, "rope.freqs", 4096),
        (Parameters(rope_theta=500_000.0), "rope.freqs", 8192),
        (Parameters(rope_theta=1_000_000.0), "rope.freqs", 16_384),
        (SCALED, "rope.freqs", 131_072),
    ],
)
def test_context_length(tmp_path: Path, parameters: Parameters, frequencies: str, length: int) -> None:
    save_checkpoint(tmp_path, parameters, random_weights(parameters) | {frequencies: torch.zeros(4)})
    assert load(tmp_path).config.max_position_embeddings == length


@pytest.mark.fault
def test_pickle_that_would_run_something(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "was here"),)

    save_checkpoint(tmp_path, GROUPED, random_weights(GROUPED))
    torch.save({"norm.weight": Hostile()}, tmp_path / "consolidated.00.pth")
    with pytest.raises(
        UserError, match=r"consolidated\.00\.pth: refused: it holds posix\.mkdir beside tensors"
    ) as error:
        open_shards(tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "was here").exists()


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"norm.weight": 1.0}])
def test_something_other_than_tensors(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "consolidated.00.pth")
    with pytest.raises(UserError, match="holds something other than named tensors"):
        open_shards(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_truncated_file(tmp_path: Path, share: float) -> None:
    save_checkpoint(tmp_path, GROUPED, random_weights(GROUPED))
    file = tmp_path / "consolidated.00.pth"
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    with pytest.raises(UserError, match=r"consolidated\.00\.pth: the weights are cut off or damaged") as error:
        open_shards(tmp_path)
    assert "\n" not in str(error.value)


def test_missing_rank(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, GROUPED, random_weights(GROUPED), ranks=4)
    (tmp_path / "consolidated.02.pth").unlink()
    with pytest.raises(UserError, match=r"consolidated\.02\.pth is missing"):
        open_shards(tmp_path)
    (tmp_path / "consolidated.03.pth").unlink()
    with pytest.raises(UserError, match=r"has shape .* in each of 2 files, which cannot make up"):
        load(tmp_path)


def test_ranks_of_different_models(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, GROUPED, random_weights(GROUPED), ranks=2)
    torch.save({"norm.weight": torch.zeros(64)}, tmp_path / "consolidated.01.pth")
    with pytest.raises(UserError, match=r"consolidated\.01\.pth: differs from consolidated\.00\.pth in layers\.0"):
        open_shards(tmp_path)


def test_parameters_of_another_kind_of_model(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, GROUPED, random_weights(GROUPED))
    edit(tmp_path, moe={"num_experts": 8})
    with pytest.raises(UserError, match=r"params\.json: moe is not known of Llama's text models"):
        load(tmp_path)


def test_parameters_of_a_shallower_model(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, GROUPED, random_weights(GROUPED))
    edit(tmp_path, n_layers=1)
    with pytest.raises(UserError, match=r"layers\.1\..* does not belong to a Llama of 1 layers"):
        load(tmp_path)
