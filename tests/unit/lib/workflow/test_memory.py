"""Memory that jobs with a model ask for."""

import json
from pathlib import Path

import pytest

from lib.settings.pretrain import PretrainSettings
from lib.workflow.memory import largest_model, to_compare, to_compute, to_load, to_train

LLAMA_7B = {
    "hidden_size": 4096,
    "intermediate_size": 11_008,
    "num_hidden_layers": 32,
    "vocab_size": 32_000,
}
PARAMETERS = 2 * 32_000 * 4096 + 32 * (4 * 4096**2 + 3 * 4096 * 11_008)


def write_model(folder: Path, parameters: int = PARAMETERS, bytes_each: int = 2, files: int = 2) -> str:
    """The head of a model's files, without their weights; its manifest."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(LLAMA_7B), encoding="utf-8")
    rest = parameters
    for number in range(files):
        part = rest // (files - number)
        tensors = {"w": {"dtype": "BF16", "shape": [part, 1], "data_offsets": [0, part * bytes_each]}}
        header = json.dumps({"__metadata__": {"format": "pt"}} | tensors).encode()
        (folder / f"{number}.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
        rest -= part
    (folder / "manifest.json").touch()
    return str(folder / "manifest.json")


@pytest.fixture
def model(tmp_path: Path) -> str:
    return write_model(tmp_path / "model")


def test_the_size_of_a_model_is_that_of_all_its_files(model: str) -> None:
    size = largest_model([model])
    assert size is not None
    assert (size.parameters, size.bytes) == (PARAMETERS, 2 * PARAMETERS)
    assert (size.layers, size.hidden, size.intermediate, size.vocabulary) == (32, 4096, 11_008, 32_000)


def test_the_largest_of_several_counts_and_data_and_adapters_do_not(model: str, tmp_path: Path) -> None:
    small = write_model(tmp_path / "small", parameters=1000)
    adapter = tmp_path / "adapter" / "manifest.json"
    adapter.parent.mkdir()
    (adapter.parent / "adapter_model.safetensors").write_bytes((8).to_bytes(8, "little") + b"{}      ")
    size = largest_model([str(adapter), small, str(Path(model).parent)])
    assert size is not None
    assert size.parameters == PARAMETERS


def test_before_the_model_is_there_memory_is_a_guess(tmp_path: Path) -> None:
    assert to_load(None, [str(tmp_path / "results" / "manifest.json")]) == 8_000


def test_seven_billion_parameters_in_16_bits(model: str) -> None:
    weights = 2 * PARAMETERS / 1e6
    assert to_load(None, [model]) == pytest.approx(1.2 * (1000 + weights), abs=100)
    assert to_compare(None, [model]) == pytest.approx(1.2 * (1000 + 3 * weights), abs=100)
    assert to_compute(1)(None, [model]) == pytest.approx(1.2 * (4000 + weights), abs=100)


def test_on_a_gpu_each_process_loads_the_weights(model: str) -> None:
    settings = PretrainSettings(quantization="4bit", optimizer="paged_adamw_8bit")
    plain = PretrainSettings()
    weights = 2 * PARAMETERS / 1e6
    adapter = 16 * 32 * (8 * 4096 + 3 * (4096 + 11_008))
    four = to_train(plain, 512, gpu=4, processes=4)(None, [model])
    assert four == pytest.approx(1.2 * (4 * (4000 + weights) + 1000), abs=100)
    on_two_nodes = to_train(plain, 512, gpu=1, processes=1, nodes=2)(None, [model])
    assert on_two_nodes == pytest.approx(1.2 * (4000 + weights + 2000), abs=100)
    paged = to_train(settings, 512, gpu=1, processes=1)(None, [model])
    assert paged == pytest.approx(1.2 * (4000 + weights + 10 * adapter / 1e6), abs=100)


def test_on_a_cpu_the_optimizer_the_bits_and_the_batch_count(model: str) -> None:
    def megabytes(length: int = 512, **changes: object) -> int:
        return to_train(PretrainSettings(**changes), length, gpu=0, processes=1)(None, [model])  # type: ignore[arg-type]

    assert megabytes(method="full") - megabytes() == pytest.approx(1.2 * 16 * (PARAMETERS - 39_976_960) / 1e6, abs=200)
    assert megabytes() > megabytes(quantization="8bit") > megabytes(quantization="4bit")
    assert megabytes(method="full") > megabytes(method="full", optimizer="adamw_8bit")
    assert megabytes(batch_size=4) == megabytes(length=1024)
    assert megabytes(embeddings="all") > megabytes()
