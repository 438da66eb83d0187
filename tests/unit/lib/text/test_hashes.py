import unicodedata
from hashlib import blake2b

import polars as pl

from lib.text.hashes import text_hashes


def test_hashes_ignore_white_space_width_and_case() -> None:
    one, *same, other = text_hashes(pl.Series(["ABC，你好", "abc，\n你 好", "ＡＢＣ,你好", "ABC，您好"]))
    assert set(same) == {one}
    assert other != one
    assert len(one) == 32


def test_every_letter_with_a_small_form_is_written_small() -> None:
    letters = [chr(code) for code in range(0x30000) if not 0xD800 <= code <= 0xDFFF]
    texts = pl.Series([letter for letter in letters if letter.lower() != letter] + ["ΟΔΟΣ", "少"])
    normalised = [unicodedata.normalize("NFKC", text.lower()) for text in texts]
    assert text_hashes(texts).to_list() == [blake2b(text.encode(), digest_size=16).hexdigest() for text in normalised]


def test_no_white_space_of_unicode_counts() -> None:
    spaces = pl.Series([chr(code) for code in range(0x10000) if not 0xD800 <= code <= 0xDFFF])
    spaces = spaces.filter(spaces.str.contains(r"\s"))
    assert len(spaces) == 25
    assert set(text_hashes("你" + spaces + "好")) == set(text_hashes(pl.Series(["你好"])))
