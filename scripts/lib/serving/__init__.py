"""Finished models behind an HTTP interface as OpenAI's, for the chat page and for other programs."""
