"""The settings' table and schema are those that the models write."""

from settings_docs import documents


def test_documents_are_up_to_date() -> None:
    for path, text in documents().items():
        assert path.read_text(encoding="utf-8") == text, f"{path} is out of date; run make docs"
