"""Weights written as they come: the same tensors in one file or many, and nothing wrong gets through."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lib.base_model.weight_files import expected, read_weights, write_weights
from lib.core.errors import UserError

TENSORS = {f"layer.{number}": torch.full((number + 1, 4), number / 2) for number in range(5)}
SHAPES = {name: tensor.shape for name, tensor in TENSORS.items()}


def test_one_file(tmp_path: Path) -> None:
    write_weights(TENSORS.items(), tmp_path, torch.float32)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]
    written = load_file(tmp_path / "model.safetensors")
    assert written.keys() == TENSORS.keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in TENSORS.items())


@pytest.mark.parametrize("file_bytes", [1, 60, 100])
def test_many_files(tmp_path: Path, file_bytes: int) -> None:
    write_weights(TENSORS.items(), tmp_path, torch.bfloat16, file_bytes)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 2 * 4 * 15
    files = sorted(path for path in tmp_path.iterdir() if path.suffix == ".safetensors")
    assert len(files) > 1
    assert {path.name for path in files} == set(index["weight_map"].values())
    written = dict(read_weights(files))
    assert all(torch.equal(written[name], tensor.bfloat16()) for name, tensor in TENSORS.items())
    for path in files:
        assert sum(tensor.nbytes for tensor in load_file(path).values()) <= max(file_bytes, 40)


def test_values_beyond_the_number_format(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the weights of norm are not finite in float16; set base_model\.dtype"):
        write_weights([("norm", torch.tensor([1e6]))], tmp_path, torch.float16)


def test_what_is_expected_passes() -> None:
    assert dict(expected(TENSORS.items(), SHAPES, "here")).keys() == TENSORS.keys()


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (TENSORS | {"bias": torch.zeros(2)}, r"here: bias, of shape \(2,\), does not belong to this model"),
        (TENSORS | {"layer.3": torch.zeros(2)}, r"here: layer\.3, of shape \(2,\), must have shape \(4, 4\)"),
        ({"layer.0": TENSORS["layer.0"]}, r"here: the weights lack 4 tensors of the model, layer\.1 among them"),
    ],
)
def test_what_is_not_expected(tensors: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(UserError, match=message):
        dict(expected(tensors.items(), SHAPES, "here"))


def test_reading_keeps_one_tensor_at_a_time(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "a.safetensors")
    names = [name for name, tensor in read_weights([tmp_path / "a.safetensors"]) if torch.equal(tensor, TENSORS[name])]
    assert sorted(names) == sorted(TENSORS)
