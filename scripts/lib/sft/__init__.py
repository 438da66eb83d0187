"""Stage sft: conversations as training examples, and the finished model's card."""
