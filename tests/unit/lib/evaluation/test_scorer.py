"""A model as it is measured: one number format for scores and answers."""

from pathlib import Path

import pytest
import torch

from lib.chat.answers import Answer
from lib.evaluation.scorer import HeldOutExample, Scorer
from lib.models.compute import FORMATS, Precision
from lib.models.loading import load_model, load_tokenizer
from lib.text.sample import Piece
from tiny_model import make_tiny_model


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_everything_is_computed_in_the_precision_that_is_asked_for(tmp_path: Path, precision: Precision) -> None:
    make_tiny_model(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    scorer = Scorer("base", load_model(tmp_path), tokenizer, str(tokenizer.eos_token), (0,), precision)
    seen: set[torch.dtype] = set()
    for layer in scorer.model.model.layers:
        layer.mlp.down_proj.register_forward_hook(lambda layer, inputs, output: seen.add(output.dtype))
    example = HeldOutExample("1", ("hello",), "world", "")
    for measure in (
        lambda: scorer.text([Piece("source", "some text", "1")], "pieces"),
        lambda: scorer.responses([example]),
        lambda: scorer.answers([example], 3),
        lambda: scorer.answers_to(["hello"], 3),
    ):
        measure()
        assert seen == {FORMATS[precision]}
        seen.clear()


def test_answers_name_their_prompts(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    scorer = Scorer("base", load_model(tmp_path), tokenizer, str(tokenizer.eos_token), (0,), "fp32")
    found = scorer.answers_to(["hello", "world"], 3)
    assert [type(answer) for answer in found] == [Answer, Answer]
    assert [answer.prompt for answer in found] == ["hello", "world"]
