"""A tokenizer of the user's own must fit the base model."""

import json
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer

from lib.core.errors import UserError
from lib.tokenizer.own_tokenizer import read_own_tokenizer
from tiny_model import TEXT, join_neighbours, make_tiny_tokenizer

BASE = make_tiny_tokenizer().backend_tokenizer


def saved(directory: Path, tokenizer: Tokenizer) -> Path:
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    return directory


def test_learned_and_added_tokens_behind_those_of_the_base_are_new(tmp_path: Path) -> None:
    own = join_neighbours(BASE, TEXT, 5)
    own.add_tokens([AddedToken("灯塔", normalized=False)])
    size = BASE.get_vocab_size()
    found = read_own_tokenizer(saved(tmp_path, own), BASE)
    assert found.get_vocab() == own.get_vocab()
    assert found.token_to_id("灯塔") == found.get_vocab_size() - 1 > size


def test_another_order_of_the_base_tokens_is_refused(tmp_path: Path) -> None:
    description = json.loads(BASE.to_str())
    vocabulary = description["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    with pytest.raises(UserError, match=r"base model's token '[ab]' \(id \d+\) has id \d+; .* under their ids"):
        read_own_tokenizer(saved(tmp_path, Tokenizer.from_str(json.dumps(description))), BASE)


def test_a_gap_in_the_ids_is_refused(tmp_path: Path) -> None:
    description = json.loads(BASE.to_str())
    description["model"]["vocab"]["灯"] = BASE.get_vocab_size() + 3
    with pytest.raises(UserError, match=r"from \d+ on without gaps"):
        read_own_tokenizer(saved(tmp_path, Tokenizer.from_str(json.dumps(description))), BASE)


def test_a_directory_without_its_files_names_the_missing_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tokenizer\.json is missing"):
        read_own_tokenizer(tmp_path, BASE)
    saved(tmp_path, BASE)
    (tmp_path / "tokenizer_config.json").unlink()
    with pytest.raises(UserError, match=r"tokenizer_config\.json is missing"):
        read_own_tokenizer(tmp_path, BASE)
    (tmp_path / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"tokenizer\.json is not a tokenizer"):
        read_own_tokenizer(tmp_path, BASE)
