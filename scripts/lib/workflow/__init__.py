"""What the rules share: their programs, logs and resources."""
