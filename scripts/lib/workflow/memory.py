"""The main memory that jobs with a model need, computed from its size before they start.

The figures are upper bounds for what `benchmarks/` measures; docs/scaling.md compares them.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lib.settings.training import TrainingSettings

LIBRARIES = 1_000
"""MB for Python, torch and what they load."""

CUDA = 3_000
"""MB of main memory for the GPU's libraries."""

UNKNOWN = 8_000
"""MB as long as the model is not there, as in a dry run."""

TOKENS = 512
"""Tokens that are computed at once where no setting says how many: while scoring, and while new rows are fitted."""

STATE = {"adamw": 16, "adamw_8bit": 10, "paged_adamw_8bit": 10}
"""Bytes for each trained parameter: itself, its gradient, and the two averages of Adam."""

BYTES = {"8bit": 1.0, "4bit": 0.6}
"""For each parameter of a quantized layer."""

MARGIN = 1.2


@dataclass(frozen=True)
class Size:
    """How large a model is."""

    bytes: int
    """Of its weights, in the number format in which they are stored."""
    parameters: int
    layers: int
    hidden: int
    """Width of a token's vector between layers."""
    intermediate: int
    """Width inside a feed-forward block."""
    vocabulary: int

    def computing(self, tokens: int) -> float:
        """MB for the activations that a backward pass needs, and for logits with their gradient.

        34 bytes per token, layer and unit of width in 16 bits, twice that in 32, without the attention matrix, which no
        kernel here keeps: Korthikanti et al., Reducing Activation Recomputation in Large Transformer Models (2022).
        """
        return tokens * (self.layers * self.hidden * 68 + self.vocabulary * 4 * 3) / 1e6

    def held(self, quantization: str) -> float:
        """MB for the weights, their linear layers in fewer bits; embedding and head stay as they are."""
        linear = self.parameters - self.vocabulary * self.hidden
        kept = self.bytes * (1 - linear / self.parameters)
        return (kept + linear * BYTES[quantization]) / 1e6 if quantization in BYTES else self.bytes / 1e6

    def trained(self, settings: TrainingSettings) -> int:
        """Parameters that a stage trains."""
        rows = 2 * self.vocabulary * self.hidden if settings.embeddings == "all" else 0
        if settings.method == "full":
            return self.parameters
        # Four projections of attention and three of the feed-forward block, each with a matrix on either side.
        return rows + settings.rank * self.layers * (8 * self.hidden + 3 * (self.hidden + self.intermediate))


def largest_model(files: list[str]) -> Size | None:
    """Size of the largest model in the folders of `files`, or None when no model is there yet."""
    folders = {Path(file) if Path(file).is_dir() else Path(file).parent for file in files}
    sizes = [_size(folder) for folder in folders if (folder / "config.json").is_file()]
    return max((size for size in sizes if size), key=lambda size: size.bytes, default=None)


def _size(folder: Path) -> Size | None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    parameters, stored = 0, 0
    for file in folder.glob("*.safetensors"):
        with file.open("rb") as weights:
            header = json.loads(weights.read(int.from_bytes(weights.read(8), "little")))
        tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
        stored += sum(end - start for start, end in (tensor["data_offsets"] for tensor in tensors))
        parameters += sum(math.prod(tensor["shape"]) for tensor in tensors)
    if not parameters:
        return None
    hidden = config["hidden_size"]
    return Size(
        bytes=stored,
        parameters=parameters,
        layers=config["num_hidden_layers"],
        hidden=hidden,
        intermediate=config.get("intermediate_size", 4 * hidden),
        vocabulary=config["vocab_size"],
    )


def to_load(wildcards: object, input: list[str]) -> int:
    """MB for the model in main memory, and little computed with it."""
    return _megabytes(input, lambda size: size.bytes / 1e6)


def to_compare(wildcards: object, input: list[str]) -> int:
    """MB for the model beside a copy in 32 bits, of which answers are compared."""
    return _megabytes(input, lambda size: (size.bytes + 4 * size.parameters) / 1e6)


def to_compute(gpu: int) -> Callable[[object, list[str]], int]:
    """MB to score with a model, or to fit a few of its rows."""

    def of_one(size: Size) -> float:
        return size.bytes / 1e6 + (CUDA if gpu else size.computing(TOKENS))

    return lambda wildcards, input: _megabytes(input, of_one)


def to_train(
    settings: TrainingSettings, length: int, gpu: int, processes: int, nodes: int = 1
) -> Callable[[object, list[str]], int]:
    """MB on each node to train `processes` copies of the model, one for each of its `gpu` GPUs, if any.

    `length` is the maximum number of tokens in a sequence. On a GPU, main memory holds the weights only while they are
    loaded, and the state of a paged optimizer.
    """

    def of_one(size: Size) -> float:
        state = size.trained(settings) * STATE[settings.optimizer] / 1e6
        if gpu:
            return size.bytes / 1e6 + CUDA + (state if settings.optimizer.startswith("paged") else 0)
        return size.held(settings.quantization) + state + size.computing(settings.batch_size * length)

    # Several processes are started by others, which compute nothing: on each node, and for several nodes together.
    besides = LIBRARIES * ((processes * nodes > 1) + (nodes > 1))
    return lambda wildcards, input: _megabytes(input, of_one, processes, besides)


def _megabytes(files: list[str], of_one: Callable[[Size], float], processes: int = 1, besides: int = 0) -> int:
    """Full hundreds of MB for all processes, and for what there is besides."""
    size = largest_model(files)
    if size is None:
        return UNKNOWN * processes
    return math.ceil(((LIBRARIES + of_one(size)) * processes + besides) * MARGIN / 100) * 100
