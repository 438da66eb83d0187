import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.text import chunks
from lib.text.chunks import cut, in_pieces, joined, slices
from lib.text.series import character_lengths

texts = st.text(st.sampled_from("甲a。 \n😀"), max_size=200)


@pytest.fixture(autouse=True)
def _short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "PIECE_BYTES", 40)


@given(texts)
def test_pieces_are_short_and_give_the_text_again(text: str) -> None:
    parts = list(cut(text.encode()))
    assert joined(parts) == text.encode()
    assert all(len(piece) <= 40 for piece, _ in parts)
    assert len(parts) == 1 or all(len(piece) >= 10 for piece, _ in parts)
    for piece, _ in parts:
        piece.decode()


@pytest.mark.parametrize(
    ("text", "first", "joint"),
    [
        ("甲" * 7 + "\n" + "乙" * 20, "甲" * 7, "\n"),
        ("甲" * 7 + "。" + "乙" * 20, "甲" * 7 + "。", ""),
        ("a" * 25 + " " + "b" * 40, "a" * 25, " "),
        ("a" * 25 + "。" + "b" * 40, "a" * 25 + "。", ""),
        ("a" + "甲" * 30, "a" + "甲" * 9, ""),
    ],
)
def test_where_texts_are_cut(text: str, first: str, joint: str) -> None:
    assert next(cut(text.encode())) == (first.encode(), joint.encode())


def test_an_emptied_piece_leaves_no_blank_line() -> None:
    assert joined([("甲".encode(), b"\n"), (b"", b"\n"), ("乙".encode(), b"")]) == "甲\n乙".encode()
    assert joined([("甲".encode(), b"\n"), (b"", b"")]) == "甲".encode()
    assert joined([(b"", b"")]) == b""


@given(st.lists(texts, max_size=6))
def test_slices_are_all_texts_in_order(documents: list[str]) -> None:
    parts = list(slices(pl.Series(documents, dtype=pl.String)))
    assert [text for part, _ in parts for text in part] == documents
    for part, is_long in parts:
        size = sum(len(text.encode()) for text in part)
        assert is_long == (size > 40)
        assert not is_long or len(part) == 1


@given(st.lists(texts, max_size=6))
def test_texts_in_pieces(documents: list[str]) -> None:
    rows, parts = in_pieces(pl.Series(documents, dtype=pl.String))
    for row, text in enumerate(documents):
        own = [part for at, part in zip(rows, parts, strict=True) if at == row]
        assert own == ([text] if len(text.encode()) <= 40 else [piece.decode() for piece, _ in cut(text.encode())])


@given(st.lists(texts, max_size=3))
def test_lengths(documents: list[str]) -> None:
    assert character_lengths(pl.Series(documents, dtype=pl.String)).tolist() == list(map(len, documents))
