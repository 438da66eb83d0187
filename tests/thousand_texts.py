"""A thousand texts of many scripts, numbers, spaces and punctuation, the same ones every time."""

from random import Random

from tiny_model import TEXT

PARTS = (
    *"，。！？：；、“”‘’（）《》…—·",
    *" \t\n",
    "  ",
    "\n\n",
    *".,!?;:'\"()[]{}<>/\\|@#$%^&*_-+=~`",
    *"0123456789",
    "1998",
    "3.14159",
    "１２３",
    "don't",
    "I'LL",
    "it's",
    "naïve",
    "Größe",
    "слово",
    "한국어",
    "日本語の",
    "مرحبا",
    "🙂👍🏽",
    "𠀀",
    "def f(x):",
    "x[i] += 2",
)


def thousand_texts() -> list[str]:
    """Pieces of the tiny models' text, put together with what is cut in different ways."""
    random = Random(0)
    texts = []
    for _ in range(1_000):
        pieces = []
        for _ in range(random.randint(2, 8)):
            text = random.choice(TEXT)
            start = random.randrange(len(text))
            pieces += [text[start : start + random.randint(1, 20)], random.choice(PARTS)]
        texts.append("".join(pieces).strip())
    return texts
