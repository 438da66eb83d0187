"""Shards of documents as Parquet files, read and written in batches."""
