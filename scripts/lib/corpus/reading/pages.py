"""HTML as a document that the cleaning step strip_html takes the main text of, in parallel."""

from lib.corpus.extraction.page_tree import is_page


def as_page(text: str) -> str:
    """`text`, marked as a page if it does not begin as one."""
    return text if is_page(text) else f"<!doctype html>\n{text}"
