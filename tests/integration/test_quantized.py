"""Training on a quantized base from end to end, on a CPU: what comes out is a model in full precision."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from workspace import Workspace

# The shape of the default run's base, SmolLM2-135M; the network that its weights would come from is none of a test's.
DEFAULT_SHAPE = {
    "vocab_size": 49_152,
    "hidden_size": 576,
    "intermediate_size": 1_536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "max_position_embeddings": 8_192,
}


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_both_stages_train_on_a_quantized_base(done: Workspace, quantization: str) -> None:
    before = load_file(done.root / "results" / "sft_model" / "model.safetensors")
    done.configure(pretrain={"quantization": quantization}, sft={"quantization": quantization})
    output = done.make("results/sft_model")
    for stage in ("pretrain", "sft"):
        manifest = json.loads((done.root / "results" / f"{stage}_lora" / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["settings"]["quantization"] == quantization
        assert f"{stage}: best validation loss" in output
    log = (done.root / "results" / "pretrain_lora" / "trainer_log.tsv").read_text(encoding="utf-8").splitlines()
    header, *rows = (line.split("\t") for line in log)
    losses = [float(row[header.index("eval_loss")]) for row in rows if row[header.index("eval_loss")]]
    assert losses[-1] < losses[0]

    config = json.loads((done.root / "results" / "sft_model" / "config.json").read_text(encoding="utf-8"))
    assert "quantization_config" not in config
    after = load_file(done.root / "results" / "sft_model" / "model.safetensors")
    assert {(name, tensor.shape, tensor.dtype) for name, tensor in after.items()} == {
        (name, tensor.shape, torch.float32) for name, tensor in before.items()
    }
    # The merge starts from the weights as they were, so what differs is the little that training changed.
    assert any(not torch.equal(after[name], before[name]) for name in after)


@pytest.fixture(scope="module")
def default_size(untouched: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose base has the default base's shape, ready to train."""
    workspace = untouched.copy(tmp_path_factory.mktemp("default_size") / "project")
    enlarge(workspace.root / "data" / "model")
    workspace.configure(tokenizer={"new_tokens": 64, "initialization": "mean"})
    for stage in ("pretrain", "sft"):
        workspace.configure(
            **{stage: {"max_steps": 2, "eval_steps": 1, "save_steps": 1, "logging_steps": 1, "learning_rate": 1e-3}}
        )
    workspace.make("results/extended_model/manifest.json")
    return workspace


@pytest.mark.parametrize(("quantization", "megabytes"), [("8bit", 219), ("4bit", 166)])
def test_a_base_of_the_default_size_takes_as_little_memory_as_promised(
    default_size: Workspace, quantization: str, megabytes: float
) -> None:
    default_size.configure(pretrain={"quantization": quantization}, sft={"quantization": quantization})
    default_size.make("results/sft_lora/manifest.json")
    for stage in ("pretrain", "sft"):
        manifest = json.loads((default_size.root / f"results/{stage}_lora/manifest.json").read_text(encoding="utf-8"))
        assert manifest["settings"]["quantization"] == quantization
        assert manifest["counts"]["weights_megabytes"] == pytest.approx(megabytes, abs=1)


def enlarge(directory: Path) -> None:
    """Give the tiny model in `directory` the default base's shape, with random weights and tokens that nothing uses."""
    path = directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary |= {f"unused {number}": number for number in range(len(vocabulary), DEFAULT_SHAPE["vocab_size"])}
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    assert Tokenizer.from_file(str(path)).get_vocab_size() == DEFAULT_SHAPE["vocab_size"]
    config = LlamaConfig.from_pretrained(directory)
    config.update(DEFAULT_SHAPE)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(directory)
