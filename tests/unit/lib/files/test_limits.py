import pytest

from lib.files.limits import Collector, TooLong, utf8_length


def test_documents_are_put_together_from_pieces() -> None:
    collector = Collector(100)
    assert collector.is_blank()
    for piece in ("一", "", "二\n"):
        collector.add(piece)
    assert not collector.is_blank()
    assert collector.take() == "一二\n"
    assert collector.take() == ""


@pytest.mark.parametrize("size", [1, 7, 500, 5000])
def test_of_long_documents_the_beginning_is_kept(size: int) -> None:
    collector = Collector(2000)
    text = "字" * 4000
    for start in range(0, len(text), size):
        collector.add(text[start : start + size])
    long = collector.take()
    assert isinstance(long, TooLong)
    assert long.bytes == 12_000
    assert text.startswith(long.start)
    assert 600 < len(long.start) <= 1000
    collector.add("短")
    assert collector.take() == "短"


def test_length_in_utf_8() -> None:
    assert [utf8_length(text) for text in ("a", "é", "字", "😀", "\ud800")] == [1, 2, 3, 4, 3]
