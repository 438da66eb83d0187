"""Training on a quantized base from end to end, on a CPU: what comes out is a model in full precision."""

import json

import pytest
import torch
from safetensors.torch import load_file

from workspace import Workspace


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
