"""Scripts that text is written in, as regular expressions over Unicode's."""

_SEVERAL = {
    "Japanese": r"\p{Han}|\p{Hiragana}|\p{Katakana}|ー",
    "Korean": r"\p{Hangul}|\p{Han}",
}
ANY_SCRIPT = "any"


def script_pattern(name: str) -> str:
    """A pattern, as polars has them, that one character of the script matches: one of Unicode's, or several of them."""
    return _SEVERAL.get(name, rf"\p{{{name}}}")
