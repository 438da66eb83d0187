"""Stage tokenizer: continued BPE training of the base model's own tokenizer."""
