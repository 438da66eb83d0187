"""Training, as both stages do it: LoRA, new rows, checkpoints, exact resume."""
