"""Documents out of files of any known format."""
