import polars as pl

from lib.deduplication import find_duplicates, text_hashes


def test_hashes_ignore_white_space_width_and_case() -> None:
    one, *same, other = text_hashes(pl.Series(["ABC，你好", "abc，\n你 好", "ＡＢＣ,你好", "ABC，您好"]))
    assert set(same) == {one}
    assert other != one
    assert len(one) == 32


def test_the_first_document_in_the_order_of_preference_is_kept() -> None:
    documents = pl.DataFrame(
        [
            ("books", "books:00000002", "x"),
            ("books", "books:00000001", "x"),
            ("books", "books:00000003", "y"),
            ("news", "news:00000000", "y"),
            ("news", "news:00000001", "z"),
            ("news", "news:00000002", "z"),
        ],
        schema=["source", "id", "hash"],
        orient="row",
    )
    assert find_duplicates(documents, "news").rows() == [
        ("news:00000000", "books:00000003"),
        ("news:00000002", "news:00000001"),
    ]
    assert find_duplicates(documents.filter(source="books"), "books").rows() == [("books:00000002", "books:00000001")]


def test_the_order_of_ids_outlives_their_padding() -> None:
    documents = pl.DataFrame({"source": "a", "id": ["a:100000000", "a:99999999"], "hash": "x"})
    assert find_duplicates(documents, "a").rows() == [("a:100000000", "a:99999999")]


def test_nothing_to_look_at() -> None:
    nothing = pl.DataFrame(schema={"source": pl.String, "id": pl.String, "hash": pl.String})
    assert find_duplicates(nothing, "a").is_empty()
