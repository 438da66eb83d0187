"""The settings files in config/, each run from end to end on a CPU, on a small random model of the family it is for."""

import json
import shutil
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from tiny_families import FAMILIES
from workspace import GPUS, SETTINGS, Workspace

# What a CPU and tests of seconds ask for, laid over a settings file.
STEPS = {"max_steps": 2, "eval_steps": 1, "save_steps": 1, "logging_steps": 1, "compile": False}
STEPS |= {"learning_rate": 0.002}  # two steps have to beat the start
SMALL: dict[str, Any] = {
    **{section: SETTINGS[section] for section in ("gpu", "base_model", "corpus", "tokenizer", "evaluation")},
    "pretrain": STEPS | {"block_size": 64, "validation_blocks": 4},
    "sft": STEPS | {"max_length": 128, "validation_fraction": 0.25},
}
MORE: dict[str, dict[str, Any]] = {} if GPUS else {"llama3-8b-slurm": {"processes": 2}}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_settings_file_trains_a_model_of_its_family(name: str, fresh: Workspace) -> None:
    base = fresh.root / "data" / "model"
    shutil.rmtree(base)
    FAMILIES[name](base)
    (fresh.root / "small.yaml").write_text(yaml.safe_dump(SMALL | MORE.get(name, {})), encoding="utf-8")
    fresh.make("--configfile", f"config/{name}.yaml", "small.yaml", "--", "results/sft_model")

    results = fresh.root / "runs" / "small" / "results"
    overlay = yaml.safe_load((fresh.root / "config" / f"{name}.yaml").read_text(encoding="utf-8"))
    for stage in ("pretrain", "sft"):
        trained = json.loads((results / f"{stage}_lora" / "manifest.json").read_text(encoding="utf-8"))["settings"]
        for key in overlay[stage].keys() & trained.keys() - SMALL[stage].keys():
            assert trained[key] == overlay[stage][key], (stage, key)

    tokenizer = AutoTokenizer.from_pretrained(results / "sft_model")
    before = AutoTokenizer.from_pretrained(base)
    assert len(tokenizer) == len(before) + 30 + (before.pad_token is None)  # and one to pad with
    for text in ("In 1998, it's 3.5 times: naïve (ok)!\n\n  Yes.", "<|im_end|>"):
        assert tokenizer(text).input_ids == before(text).input_ids
    text = "从前，守灯塔的人在河边的柳树下找到了一张旧地图。\n\n第12个故事"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text
    model = AutoModelForCausalLM.from_pretrained(results / "sft_model")
    assert model.dtype == torch.bfloat16
    assert model.config.model_type == json.loads((base / "config.json").read_text(encoding="utf-8"))["model_type"]
    assert len(model.get_input_embeddings().weight) == max(len(tokenizer), len(before) + 13)
    question = [{"role": "user", "content": "把1和4加起来。"}]
    asked = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    assert asked["input_ids"].shape[1] < model.generate(**asked, max_new_tokens=4).shape[1]
