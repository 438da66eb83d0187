"""Token sequences on disk: rows, documents, packed blocks, and the order in which they are trained on."""
