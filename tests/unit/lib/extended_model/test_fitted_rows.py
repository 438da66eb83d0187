"""Rows fitted on text: nearer to what the base makes of it, the base itself untouched, the same every time."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from lib.extended_model.aligned_text import ReplacedText, replaced_texts
from lib.extended_model.fit_inputs import fit_input_rows
from lib.extended_model.fit_outputs import fit_output_rows, read_positions, shares_of_first
from lib.extended_model.rows import add_rows, put_rows, untie
from lib.models.loading import load_model
from lib.tokenizer.continued_bpe import constituents
from tiny_model import TEXT, join_neighbours, make_tiny_model

Model = torch.nn.Module


@dataclass(frozen=True)
class Extended:
    """The tiny model with mean rows for new tokens, and text that has them."""

    model: Model
    new: dict[int, list[int]]
    texts: list[ReplacedText]

    @property
    def first_new(self) -> int:
        return min(self.new)

    @property
    def rows(self) -> torch.Tensor:
        return self.model.get_input_embeddings().weight[list(self.new)].detach().clone()


@pytest.fixture
def extended(tmp_path: Path) -> Extended:
    make_tiny_model(tmp_path)
    base = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    longer = join_neighbours(base, TEXT, 20)
    new = constituents(base, longer)
    model = load_model(tmp_path).requires_grad_(False).eval()
    untie(model)
    add_rows(model, new, "mean", torch.Generator())
    return Extended(model, new, list(replaced_texts(TEXT, longer, new, [0])))


def test_fitted_input_rows_mean_more_of_what_the_replaced_tokens_mean(extended: Extended) -> None:
    before = {name: value.clone() for name, value in extended.model.state_dict().items()}
    losses: list[float] = []
    arguments = (extended.model, extended.rows, extended.new, extended.texts, 30, "fp32")
    rows = fit_input_rows(*arguments, on_progress=lambda step, loss: losses.append(loss))
    assert len(losses) == 30
    assert sum(losses[-4:]) < 0.7 * sum(losses[:4])
    assert rows.shape == extended.rows.shape
    assert torch.equal(rows, fit_input_rows(*arguments))
    after = extended.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_rows_of_tokens_that_are_no_new_ones_make_no_difference(extended: Extended) -> None:
    texts = [ReplacedText(text.base_ids, text.base_ids, list(range(len(text.base_ids))), 1) for text in extended.texts]
    assert torch.equal(fit_input_rows(extended.model, extended.rows, extended.new, texts, 3, "fp32"), extended.rows)


def test_positions_hold_what_the_whole_softmax_needs(extended: Extended) -> None:
    model, first = extended.model, extended.first_new
    positions = read_positions(model, extended.texts, first, "fp32")
    assert positions.next_ids.tolist() == [token for text in extended.texts for token in text.ids[1:]]
    scores = positions.states @ model.get_output_embeddings().weight.T
    expected = torch.nn.functional.cross_entropy(scores, positions.next_ids, reduction="none")
    new = scores[:, first:]
    of_new = new.gather(1, (positions.next_ids - first).clamp(min=0)[:, None])[:, 0]
    next_score = torch.where(positions.next_ids < first, positions.next_score, of_new)
    torch.testing.assert_close(torch.logaddexp(positions.old_mass, new.logsumexp(1)) - next_score, expected)
    # The same as from one text alone, without padding.
    text = extended.texts[3]
    alone = read_positions(model, [text], first, "fp32")
    at = sum(len(other.ids) - 1 for other in extended.texts[:3])
    torch.testing.assert_close(positions.states[at : at + len(text.ids) - 1], alone.states, atol=1e-5, rtol=1e-4)


def test_texts_are_read_with_little_padding(extended: Extended) -> None:
    longest = max(extended.texts, key=lambda text: len(text.ids))
    shortest = ReplacedText(longest.ids[:4], longest.ids[:4], [0, 1, 2, 3], 1)
    sizes: list[int] = []
    extended.model.base_model.register_forward_pre_hook(
        lambda module, args, kwargs: sizes.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    positions = read_positions(extended.model, [longest, shortest] * 4, extended.first_new, "fp32")
    assert sum(sizes) == 4 * (len(longest.ids) + len(shortest.ids))
    assert positions.next_ids.tolist() == (longest.ids[1:] + shortest.ids[1:]) * 4


def test_share_of_the_first_constituent_is_taken_from_its_score(extended: Extended) -> None:
    # Hidden states that all have 2 in one dimension: the direction is found there.
    model, first = extended.model, extended.first_new
    positions = read_positions(model, extended.texts, first, "fp32")
    positions.states[:, 0] = 2.0
    rows = shares_of_first(model, extended.new, extended.texts, positions)
    head = model.get_output_embeddings().weight
    for (token, parts), row in zip(extended.new.items(), rows, strict=True):
        taken = sum(text.ids.count(token) for text in extended.texts)
        before = sum(text.base_ids.count(parts[0]) for text in extended.texts)
        share = torch.tensor(max(taken, 0.5) / before)
        difference = positions.states @ (row - head[parts[0]])
        torch.testing.assert_close(difference.mean(), share.log().clamp(max=0), atol=0.1, rtol=0.1)


def test_fitted_output_rows_lower_the_loss_and_stay_near_where_nothing_asks_for_them(extended: Extended) -> None:
    model, first = extended.model, extended.first_new
    positions = read_positions(model, extended.texts, first, "fp32")
    losses: list[float] = []

    def fit() -> torch.Tensor:
        generator = torch.Generator().manual_seed(1)
        return fit_output_rows(
            extended.rows, 1.0, first, positions, "fp32", generator, lambda number, passes, loss: losses.append(loss)
        )

    rows = fit()
    assert losses[-1] < losses[0] - 0.1
    assert torch.equal(rows, fit())

    def loss_with(outputs: torch.Tensor) -> float:
        put_rows(model, extended.new, extended.rows, outputs)
        scores = positions.states @ model.get_output_embeddings().weight.T
        return float(torch.nn.functional.cross_entropy(scores, positions.next_ids))

    assert loss_with(rows) < loss_with(extended.rows) - 0.1
