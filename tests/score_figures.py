"""Scores as evaluation writes them, for tests of what reads them."""


def figures(bits: float) -> dict[str, float | int]:
    """The figures of 100 Chinese characters in 200 tokens that take so many `bits` per character."""
    return {
        "bits_per_character": bits,
        "bits_per_byte": bits / 3,
        "characters_per_token": 0.5,
        "characters": 100,
        "bytes": 300,
        "tokens": 200,
    }
