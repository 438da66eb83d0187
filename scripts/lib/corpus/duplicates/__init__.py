"""Near-duplicates, lines that many documents share, and text that repeats held-out text."""
