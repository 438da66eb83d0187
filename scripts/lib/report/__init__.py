"""The report: one page with every stage's results."""
