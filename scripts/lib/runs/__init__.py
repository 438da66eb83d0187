"""Runs by name: where each one's results are, what two have in common, and how they compare."""
