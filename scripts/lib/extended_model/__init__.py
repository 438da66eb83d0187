"""Stage extended_model: the base model with rows for new tokens."""
