"""A model's weights in safetensors, read and written one tensor at a time: no more than a file's worth is in memory.

transformers' save_pretrained holds the whole model, 15 GB for 7.6 billion weights in 16 bits, where 1 GB is enough
here.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lib.core.errors import UserError
from lib.core.outputs import write_json

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
FILE_BYTES = 1_000_000_000


def read_weights(files: Iterable[Path]) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and tensors of safetensors files."""
    for path in files:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (a file, not a mapping)
                yield name, file.get_tensor(name)


def expected(
    tensors: Iterable[tuple[str, torch.Tensor]], shapes: Mapping[str, torch.Size], where: str
) -> Iterator[tuple[str, torch.Tensor]]:
    """`tensors` as they come; UserError, which `where` begins, unless they are those of `shapes` and all of them."""
    missing = dict(shapes)
    for name, tensor in tensors:
        if missing.pop(name, None) != tensor.shape:
            wanted = f"must have shape {tuple(shapes[name])}" if name in shapes else "does not belong to this model"
            raise UserError(f"{where}: {name}, of shape {tuple(tensor.shape)}, {wanted}")
        yield name, tensor
    if missing:
        raise UserError(f"{where}: the weights lack {len(missing)} tensors of the model, {min(missing)} among them")


def write_weights(
    tensors: Iterable[tuple[str, torch.Tensor]], directory: Path, dtype: torch.dtype, file_bytes: int = FILE_BYTES
) -> None:
    """Write tensors as `dtype` into safetensors of about `file_bytes`, with an index if there are several.

    Raises UserError for a value that is not finite in `dtype`.
    """
    files: list[list[str]] = []
    batch: dict[str, torch.Tensor] = {}
    total = batch_bytes = 0

    def flush() -> None:
        save_file(batch, directory / f"{len(files)}.partial", metadata={"format": "pt"})
        files.append(list(batch))
        batch.clear()

    for name, tensor in tensors:
        if batch and batch_bytes + tensor.numel() * dtype.itemsize > file_bytes:
            flush()
            batch_bytes = 0
        weight = tensor.to(dtype).contiguous()
        if not torch.isfinite(weight).all():
            raise UserError(
                f"the weights of {name} are not finite in {str(dtype).removeprefix('torch.')}; "
                "set base_model.dtype to float32, or get the model again"
            )
        batch[name] = weight
        batch_bytes += weight.nbytes
        total += weight.nbytes
    flush()
    if len(files) == 1:
        (directory / "0.partial").rename(directory / WEIGHTS)
        return
    weight_map = {}
    for number, names in enumerate(files):
        file = f"model-{number + 1:05d}-of-{len(files):05d}.safetensors"
        (directory / f"{number}.partial").rename(directory / file)
        weight_map.update(dict.fromkeys(names, file))
    write_json(
        directory / WEIGHTS_INDEX,
        {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))},
    )
