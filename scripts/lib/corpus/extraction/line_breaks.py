"""Running text of a web page, whose lines were broken by whoever typed it.

A break between words of English stands for a space. Between two characters of Chinese or Japanese, and beside their
punctuation, it stands for nothing.
"""

import re

BREAK = "\v"
"""What stands for a break until both of its sides are known."""
_SPACE = re.compile(r"[ \t\r\n\f]+")
_PUNCTUATION = "\u3001-\u301f！（），：；？"
_CHINESE = rf"{_PUNCTUATION}\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff…—\U00020000-\U0003ffff"
_FOR_NOTHING = re.compile(
    rf"(?<=[{_CHINESE}]) ?{BREAK} ?(?=[{_CHINESE}])"
    rf"|(?<=[{_PUNCTUATION}]) ?{BREAK} ?| ?{BREAK} ?(?=[{_PUNCTUATION}])"
)


def marked(text: str) -> str:
    """`text` with a `BREAK` in the place of each run of white space that holds an end of line, a space for others."""
    return _SPACE.sub(lambda run: BREAK if "\n" in run[0] else " ", text)


def unwrapped(text: str) -> str:
    """`text` without its `BREAK`s: nothing where it stands for nothing, a space elsewhere."""
    return _FOR_NOTHING.sub("", text).replace(BREAK, " ") if BREAK in text else text
