"""Cleaning: steps that rewrite a document and filters that drop it."""
