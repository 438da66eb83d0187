"""Held-out documents, sampling and mixing."""
