"""Which tokenizers can be extended, and what their tokens stand for."""

import pytest
from tokenizers import Tokenizer, models

from lib.core.errors import UserError
from lib.tokenizer.base_vocabulary import base_vocabulary
from tokenizers_to_extend import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_stand_for_bytes(kind: str) -> None:
    base = base_vocabulary(KINDS[kind]())
    assert base.style == kind.partition(",")[0]
    assert b" the" in base.spelling.values()
    for number, spelling in base.spelling.items():
        assert base.write(spelling) == base.tokenizer.id_to_token(number)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (models.Unigram(), "is a Unigram model; only BPE can be extended. Choose a base model"),
        (models.WordPiece(), "is a WordPiece model"),
        (models.BPE(), "neither byte-level nor has it byte fallback"),
        (models.BPE(end_of_word_suffix="</w>"), "marks the parts of words"),
    ],
)
def test_others_are_refused(model: models.Model, message: str) -> None:
    with pytest.raises(UserError, match=message):
        base_vocabulary(Tokenizer(model))
