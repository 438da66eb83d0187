"""Experiments: which points there are, what they share, which are kept, and what they tell."""
