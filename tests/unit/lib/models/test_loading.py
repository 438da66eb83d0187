"""Tokenizers of every kind of class: tokenizer.json says how text is read, as it is loaded and as it is published."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from lib.models.loading import load_model, load_tokenizer
from lib.models.publishing import SAMPLE_TEXTS, publish_model, publish_tokenizer
from tiny_model import TEXT
from tokenizer_kinds import KINDS, READ_OTHERWISE, write_kind


@pytest.mark.parametrize("name", KINDS)
def test_tokenizer_json_is_the_truth(name: str, tmp_path: Path) -> None:
    truth = write_kind(name, tmp_path / "source")
    texts = [*SAMPLE_TEXTS, *TEXT]
    wanted = [truth.encode(text).ids for text in texts]
    by_class = [AutoTokenizer.from_pretrained(tmp_path / "source").encode(text) for text in texts]
    assert (by_class != wanted) == (name in READ_OTHERWISE)
    loaded = load_tokenizer(tmp_path / "source")
    assert [loaded.encode(text) for text in texts] == wanted
    publish_model(load_model(tmp_path / "source"), tmp_path / "published")
    publish_tokenizer(loaded, tmp_path / "published")
    published = AutoTokenizer.from_pretrained(tmp_path / "published")
    assert [published.encode(text) for text in texts] == wanted
    assert [published.decode(row) for row in wanted] == [truth.decode(row, skip_special_tokens=False) for row in wanted]
