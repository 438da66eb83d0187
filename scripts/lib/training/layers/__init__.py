"""Layers and losses that take the place of those of transformers and PEFT, to train in less time and memory."""
