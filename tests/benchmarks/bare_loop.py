"""What a stage-1 step costs without any trainer: bare_loop.py MODEL DATA BATCH WORK."""

import os
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, get_cosine_schedule_with_warmup

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from clock import ALPHA, LEARNING_RATE, RANK, TARGETS, Clock

from lib.tokens.token_files import read_tokens


def main() -> None:
    model_path, data, batch = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(1)
    rows = torch.tensor(read_tokens(data / "train.arrow")["input_ids"][:])
    base = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
    config = LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=ALPHA, target_modules=TARGETS)
    model = get_peft_model(base, config).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0.0, fused=True)
    batches = torch.split(rows[torch.randperm(len(rows))], batch)
    schedule = get_cosine_schedule_with_warmup(optimizer, round(0.05 * len(batches)), len(batches))
    clock = Clock()
    clock.on_train_begin()
    for input_ids in batches:
        model(input_ids=input_ids, labels=input_ids, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    clock.on_step_end()
    clock.report()


if __name__ == "__main__":
    main()
