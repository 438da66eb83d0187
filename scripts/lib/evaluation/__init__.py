"""Stage evaluation: bits per character and the table of scores."""
