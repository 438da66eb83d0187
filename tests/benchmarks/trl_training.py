"""TRL's SFTTrainer with a clock in it: trl_training.py MODEL RECORDS BATCH {default,keep} WORK.

Its defaults but for what has to be the same: batch, LoRA, learning rate, 32 bits, one pass. `keep` keeps activations,
which it computes again by default.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from clock import ALPHA, LEARNING_RATE, RANK, TARGETS, Clock
from datasets import Dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer


def main() -> None:
    model, path, batch, activations, work = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    records = [json.loads(line)["spans"] for line in path.read_text(encoding="utf-8").splitlines()]
    data = Dataset.from_list([prompt_and_completion(spans) for spans in records])
    options = {"gradient_checkpointing": False} if activations == "keep" else {}
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=work,
            per_device_train_batch_size=batch,
            learning_rate=LEARNING_RATE,
            num_train_epochs=1,
            max_length=512,
            bf16=False,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            model_init_kwargs={"dtype": "float32"},
            **options,
        ),
        train_dataset=data,
        peft_config=LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=ALPHA, target_modules=TARGETS),
    )
    clock = Clock()
    trainer.add_callback(clock)
    trainer.train()
    clock.report()


def prompt_and_completion(spans: list[dict[str, Any]]) -> dict[str, str]:
    """An example as TRL wants it, of which it learns the completion alone, from texts that are trained on or not."""
    trained = next(place for place, span in enumerate(spans) if span["trained"])
    prompt = "".join(span["text"] for span in spans[:trained])
    return {"prompt": prompt, "completion": spans[trained]["text"]}


if __name__ == "__main__":
    main()
