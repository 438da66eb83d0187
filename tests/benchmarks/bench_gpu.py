"""Training on a GPU: the share of the card's matrix rate that a step reaches, and the memory that each setting takes.

    make bench-gpu

Models are random, in the shape of those that they are named after, and read random tokens, which changes neither time
nor memory. Every row is a run of stage 1: the median time of its steps but the first ones, and the most memory that it
held of the card. The settings files of config/ run as they are, on one card, for a few steps.
"""

import argparse
import gc
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "scripts"), str(Path(__file__).parent)]

import numpy as np
import torch
import yaml
from clock import ALPHA, LEARNING_RATE, RANK, TARGETS
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, TrainerCallback
from transformers.models.auto import CONFIG_MAPPING

from lib.core.manifest import NAME, write_manifest
from lib.core.outputs import write_json
from lib.models.loading import load_model, quiet_libraries
from lib.settings.pretrain import PretrainSettings
from lib.tokens.token_files import TokenWriter, read_tokens
from lib.training import train
from lib.training.run import Run
from lib.training.trainer import StageTrainer

STEPS, NOT_COUNTED = 10, 3
BLOCK, BATCH = 2_048, 8  # tokens of a row, and rows of a step
MATRIX = 8_192
SHAPES: dict[str, dict[str, Any]] = {
    "Llama 3.2 1B": {
        "model_type": "llama",
        "vocab_size": 128_256,
        "hidden_size": 2_048,
        "intermediate_size": 8_192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "tie_word_embeddings": True,
    },
    "Llama 3 8B": {
        "model_type": "llama",
        "vocab_size": 128_256,
        "hidden_size": 4_096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "tie_word_embeddings": False,
    },
    "Qwen3 0.6B": {
        "model_type": "qwen3",
        "vocab_size": 151_936,
        "hidden_size": 1_024,
        "intermediate_size": 3_072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "tie_word_embeddings": True,
    },
    "Qwen2.5 7B": {
        "model_type": "qwen2",
        "vocab_size": 152_064,
        "hidden_size": 3_584,
        "intermediate_size": 18_944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "tie_word_embeddings": False,
    },
}
OVERLAYS = {"qwen3-0.6b": "Qwen3 0.6B", "qlora-7b-24gb": "Qwen2.5 7B", "llama3-8b-slurm": "Llama 3 8B"}
OURS: dict[str, Any] = {
    "rank": RANK,
    "alpha": ALPHA,
    "target_modules": TARGETS,
    "embeddings": "none",
    "learning_rate": LEARNING_RATE,
    "block_size": BLOCK,
    "batch_size": BATCH,
}


@dataclass(frozen=True)
class Case:
    """A row of the table."""

    name: str
    shape: str
    settings: dict[str, Any]
    new_tokens: int
    steps: int = STEPS


LESS_MEMORY = {"gradient_checkpointing": True, "optimizer": "paged_adamw_8bit"}
SETTINGS: dict[str, dict[str, Any]] = {
    "LoRA": {},
    "LoRA, activations computed again": {"gradient_checkpointing": True},
    "LoRA, compiled": {"compile": True},
    "LoRA, compiled, computed again": {"compile": True, "gradient_checkpointing": True},
    "LoRA and 8,000 new rows, compiled": {"compile": True, "embeddings": "new_rows"},
    "LoRA on 8 bits": {"quantization": "8bit"},
    "LoRA on 4 bits": {"quantization": "4bit"},
    "LoRA on 4 bits, compiled": {"quantization": "4bit", "compile": True},
    "LoRA on 4 bits, least memory": {"quantization": "4bit", "compile": True} | LESS_MEMORY,
    "all weights": {"method": "full"},
    "all weights, least memory": {"method": "full", "compile": True} | LESS_MEMORY,
}
CASES = [Case(name, "Llama 3.2 1B", OURS | settings, new_tokens=8_000) for name, settings in SETTINGS.items()]


class Meter(TrainerCallback):
    """Takes the time of every step, the card's work included."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        self.on_step_end()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        torch.cuda.synchronize()
        self.times.append(time.perf_counter())

    def taken(self) -> dict[str, float]:
        """Seconds of a step, and gigabytes (1e9 bytes) of the card that were held at most since `alone` began."""
        steps = np.diff(self.times)
        free, total = torch.cuda.mem_get_info()
        of_cuda = total - free - torch.cuda.memory_reserved()  # the rest of what is taken, on a card with nothing else
        memory = torch.cuda.max_memory_reserved() + of_cuda
        return {"seconds": median(steps[min(NOT_COUNTED, len(steps) - 1) :]), "gigabytes": memory / 1e9}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder for models of up to 17 GB; a temporary one when not given")
    names = [*SETTINGS, *(f"{name}.yaml" for name in OVERLAYS)]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help="rows to measure; all when not given")
    parser.add_argument("--output", type=Path, default=PROJECT / "results" / "benchmarks" / "gpu.json")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("error: no GPU can be used here, and this measures one; check the driver")
    quiet_libraries()
    with tempfile.TemporaryDirectory(dir=args.work) as name:
        work = Path(name)
        card, rate = alone(matrix_rate)
        print(f"{card}: {rate / 1e12:,.0f} TFLOP/s in bf16 (products of {MATRIX} x {MATRIX})", flush=True)
        rows: list[dict[str, Any]] = []
        for row in measure(work, rate, args.only):
            rows.append(row)
            print(
                f"{row['model']:13} {row['what']:34} {row['tokens_per_second']:>8,.0f} tokens/s "
                f"{row['share_of_matrix_rate']:>5.0%} {row['gigabytes']:>6.1f} GB",
                flush=True,
            )
    args.output.parent.mkdir(parents=True, exist_ok=True)
    machine = {"card": card, "matrix_tflops": round(rate / 1e12, 1), "torch": torch.__version__}
    args.output.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n", encoding="utf-8")


def measure(work: Path, rate: float, only: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """The rows of the table, or those that are named; the models are made as they are needed."""
    cases = [case for case in (*CASES, *map(overlay, OVERLAYS)) if only is None or case.name in only]
    model = work / "model"
    for shape in dict.fromkeys(case.shape for case in cases):
        of_shape = [case for case in cases if case.shape == shape]
        shutil.rmtree(model, ignore_errors=True)
        alone(make_model, model, shape, of_shape[0].new_tokens)
        if of_shape[0] is CASES[0]:
            name = "LoRA, bare loop of PEFT's layers"
            yield row(replace(CASES[0], name=name), model, alone(bare_loop, model), rate)
        for case in of_shape:
            yield row(case, model, alone(train_case, case, model, work / "run"), rate)


def overlay(name: str) -> Case:
    """A settings file of config/ as a case of few steps."""
    settings = yaml.safe_load((PROJECT / "config" / f"{name}.yaml").read_text(encoding="utf-8"))
    return Case(f"{name}.yaml", OVERLAYS[name], settings["pretrain"], settings["tokenizer"]["new_tokens"], steps=3)


def row(case: Case, model: Path, taken: Mapping[str, float], rate: float) -> dict[str, Any]:
    settings = PretrainSettings.model_validate(case.settings)
    tokens = settings.block_size * settings.batch_size * settings.gradient_accumulation
    speed = tokens / taken["seconds"]
    share = speed * operations(AutoConfig.from_pretrained(model), settings) / rate
    values = {"tokens_per_second": round(speed), "share_of_matrix_rate": round(share, 3)}
    return {"what": case.name, "model": case.shape, **values, "gigabytes": round(taken["gigabytes"], 2)}


def operations(config: PreTrainedConfig, settings: PretrainSettings) -> float:
    """Floating-point operations that training on a token takes in matrix products, none of them computed twice.

    As PaLM's authors count them (arXiv:2204.02311, appendix B): two for each weight in the forward pass, two more in
    the backward pass and, unless it is frozen, two for its gradient. Attention looks at half of a block on average.
    """
    width, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    head = getattr(config, "head_dim", None) or width // config.num_attention_heads
    queries, keys = config.num_attention_heads * head, config.num_key_value_heads * head
    shapes = [(width, queries), (width, keys), (width, keys), (queries, width)]
    shapes += [(width, inner), (width, inner), (inner, width)]
    weights = layers * sum(inputs * outputs for inputs, outputs in shapes) + width * config.vocab_size
    attention = layers * 2 * queries * settings.block_size
    if settings.method == "full":
        return 6 * weights + 3 * attention
    adapters = layers * sum(settings.rank * (inputs + outputs) for inputs, outputs in shapes)
    return 4 * weights + 6 * adapters + 3 * attention


def matrix_rate() -> tuple[str, float]:
    """The card, and the operations per second that it reaches in a large product in bf16."""
    one, other = (torch.randn(MATRIX, MATRIX, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(30):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        one @ other
        end.record()
        end.synchronize()
        seconds.append(start.elapsed_time(end) / 1e3)
    return torch.cuda.get_device_name(), 2 * MATRIX**3 / median(seconds[10:])


def make_model(directory: Path, shape: str, new_tokens: int) -> None:
    """A random model with rows for new tokens, as the step before training leaves one."""
    config = CONFIG_MAPPING[SHAPES[shape]["model_type"]](**SHAPES[shape], max_position_embeddings=8_192)
    size = config.vocab_size
    config.vocab_size += new_tokens
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(directory)
    write_json(directory / NAME, {"facts": {"new_token_ids": list(range(size, size + new_tokens))}})


def train_case(case: Case, model: Path, work: Path) -> dict[str, float]:
    """What a run of stage 1 takes."""
    meter = Meter()

    class Measured(StageTrainer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.add_callback(meter)

    shutil.rmtree(work, ignore_errors=True)
    often = {"max_steps": case.steps, "eval_steps": case.steps, "save_steps": case.steps, "allow_worse": True}
    settings = PretrainSettings.model_validate(case.settings | often)
    rows = settings.batch_size * settings.gradient_accumulation * case.steps
    write_rows(work / "data", AutoConfig.from_pretrained(model).vocab_size, settings.block_size, rows)
    train.StageTrainer = Measured
    train.train(
        Run(
            stage="pretrain",
            settings=settings,
            seed=1,
            gpu=1,
            model=model / NAME,
            data=work / "data" / NAME,
            work=work / "work",
            output=work / "output" / NAME,
        ),
        read_tokens(work / "data" / "train.arrow"),
        read_tokens(work / "data" / "validation.arrow"),
        by_length=False,
    )
    return meter.taken()


def bare_loop(model_path: Path) -> dict[str, float]:
    """What the same takes as PyTorch, transformers and PEFT come, without any trainer.

    Before any run of stage 1, which has CUDA sum in a fixed order from then on.
    """
    model = load_model(model_path, "cuda")
    config = LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=ALPHA, target_modules=TARGETS)
    model = get_peft_model(model, config).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, fused=True)
    meter = Meter()
    meter.on_train_begin()
    for _ in range(STEPS):
        ids = torch.randint(model.config.vocab_size, (BATCH, BLOCK), device="cuda")
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        meter.on_step_end()
    return meter.taken()


def write_rows(directory: Path, vocabulary: int, block: int, rows: int) -> None:
    """Random blocks to train on, and one to validate on."""
    directory.mkdir(parents=True)
    random = np.random.default_rng(0)
    for split, number in (("train", rows), ("validation", 1)):
        with TokenWriter(directory / f"{split}.arrow", ["input_ids"]) as writer:
            writer.add_blocks(random.integers(vocabulary, size=(number, block), dtype=np.int32))
    write_manifest(directory, inputs={}, counts={})


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns that has the card to itself."""
    torch.cuda.reset_peak_memory_stats()
    result = function(*arguments)
    torch.compiler.reset()
    gc.collect()  # a trainer and its model hold each other
    torch.cuda.empty_cache()
    if (left := torch.cuda.memory_allocated()) > 1e8:
        sys.exit(f"{function.__name__}{arguments} leaves {left / 1e9:.1f} GB of the card taken")
    return result


if __name__ == "__main__":
    main()
