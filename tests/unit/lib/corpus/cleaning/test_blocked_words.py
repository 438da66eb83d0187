from pathlib import Path

import polars as pl
import pytest

from lib.core.errors import UserError
from lib.corpus.cleaning.blocked_words import count_words, read_words


def test_each_word_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# a comment\n赌博\n\n Casino \n赌博\n", encoding="utf-8")
    assert read_words(str(path)) == ("赌博", "Casino")
    texts = pl.Series(["赌博赌博", "CASINO casino 赌博", "没有", ""])
    assert count_words(texts, str(path)).to_list() == [1, 2, 0, 0]


def test_a_file_without_words_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(UserError, match="holds no words"):
        read_words(str(path))
    with pytest.raises(UserError, match="cannot be read"):
        read_words(str(tmp_path / "absent.txt"))
