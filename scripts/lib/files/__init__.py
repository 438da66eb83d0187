"""Files as records: compression, encodings, JSON and text, read with bounded memory."""
