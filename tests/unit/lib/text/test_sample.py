"""The laws of cutting and sampling."""

from hypothesis import given
from hypothesis import strategies as st

from lib.text.sample import SHORTEST_TAIL, cut_document, sample_pieces


@given(st.text(alphabet="春a\n ", max_size=700), st.integers(50, 200))
def test_cut_drops_nothing_but_blanks_and_a_short_tail(text: str, characters: int) -> None:
    pieces = cut_document(text, characters)
    assert all(0 < len(piece) <= characters for piece in pieces)
    left = text
    for piece in pieces:
        place = left.index(piece)
        assert not left[:place].strip()
        left = left[place + len(piece) :]
    assert len(left) < SHORTEST_TAIL or not left.strip()


def test_cut_ends_a_piece_at_a_paragraph_end_in_its_second_half() -> None:
    text = "一" * 30 + "\n" + "二" * 50 + "\n" + "三" * 60
    assert cut_document(text, 100) == ["一" * 30 + "\n" + "二" * 50 + "\n", "三" * 60]


def test_a_document_shorter_than_a_tail_is_scored_whole() -> None:
    assert cut_document("短文一篇", 400) == ["短文一篇"]


def documents(source: str, count: int, length: int) -> list[tuple[str, str]]:
    return [(source, f"{source}{number:04d}" + "文" * (length - len(source) - 4)) for number in range(count)]


def test_windows_take_the_same_from_every_source_and_what_a_small_one_lacks_from_the_others() -> None:
    texts = [*documents("large", 90, 100), *documents("small", 2, 100), *documents("middle", 40, 100)]
    pieces = sample_pieces(texts, 100, 3_000)
    counts = {source: sum(piece.source == source for piece in pieces) for source in ("large", "middle", "small")}
    assert counts == {"large": 14, "middle": 14, "small": 2}


def test_windows_do_not_depend_on_the_order_of_the_documents() -> None:
    texts = [*documents("a", 30, 90), *documents("b", 30, 90)]
    assert sample_pieces(texts, 100, 1_000) == sample_pieces(list(reversed(texts)), 100, 1_000)


def test_windows_come_from_all_over_a_source() -> None:
    numbers = [int(piece.text[1:5]) for piece in sample_pieces(documents("a", 100, 100), 100, 2_000)]
    assert len(numbers) == 20
    assert min(numbers) < 25 < 75 < max(numbers)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.text(alphabet="文\n", min_size=1, max_size=400)), max_size=12),
    st.integers(200, 2_000),
)
def test_windows_stay_within_their_characters(texts: list[tuple[str, str]], most: int) -> None:
    pieces = sample_pieces(texts, 100, most)
    assert sum(len(piece.text) for piece in pieces) <= most
    assert {piece.source for piece in pieces} == {source for source, text in texts if text.strip()}
