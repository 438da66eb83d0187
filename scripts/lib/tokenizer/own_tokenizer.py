"""A tokenizer of the user's own, which takes the place of one that would be learned."""

from pathlib import Path

from tokenizers import Tokenizer

from lib.core.errors import UserError

FILES = ("tokenizer.json", "tokenizer_config.json")
"""What its directory must hold."""


def read_own_tokenizer(directory: Path, base: Tokenizer) -> Tokenizer:
    """The tokenizer in `directory`, whose new tokens follow those of `base`.

    Raises UserError when a token of the base is missing or has another id: its row in the model would then be another
    token's. Ids beyond the base's must have no gaps, since every id takes a row.
    """
    for name in FILES:
        if not (directory / name).is_file():
            raise UserError(f"{directory}: a tokenizer's directory holds {' and '.join(FILES)}; {name} is missing")
    try:
        own = Tokenizer.from_file(str(directory / FILES[0]))
    except Exception as error:  # tokenizers raises nothing more specific
        raise UserError(f"{directory / FILES[0]} is not a tokenizer: {' '.join(str(error).split())}") from None
    ids = own.get_vocab()
    for token, number in sorted(base.get_vocab().items(), key=lambda item: item[1]):
        if ids.get(token) != number:
            now = f"has id {ids[token]}" if token in ids else "is missing"
            raise UserError(
                f"{directory}: the base model's token {token!r} (id {number}) {now}; a tokenizer of your own must keep "
                "the base's tokens under their ids and add new ones behind them"
            )
    new = sorted(set(ids.values()) - set(base.get_vocab().values()))
    first = base.get_vocab_size()
    if new != list(range(first, first + len(new))):
        raise UserError(f"{directory}: the ids of new tokens must run from {first} on without gaps")
    return own
