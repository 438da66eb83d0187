import polars as pl

from lib.text.hashes import text_hashes


def test_hashes_ignore_white_space_width_and_case() -> None:
    one, *same, other = text_hashes(pl.Series(["ABC，你好", "abc，\n你 好", "ＡＢＣ,你好", "ABC，您好"]))
    assert set(same) == {one}
    assert other != one
    assert len(one) == 32
