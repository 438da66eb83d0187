"""Text in columns: long documents in chunks, hashes, n-grams, samples."""
