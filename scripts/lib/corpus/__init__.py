"""Stage corpus: raw text as clean, deduplicated shards, some of it held out."""
