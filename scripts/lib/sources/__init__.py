"""Addresses of data and models, downloads, and lists of the files behind an address."""
