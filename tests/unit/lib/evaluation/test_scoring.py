"""Scores against a computation that takes one sequence at a time."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedModel

from lib.evaluation import scoring
from lib.evaluation.scoring import Score, TokenSequence, batches_by_length, negative_log_likelihoods
from lib.models.loading import load_model
from tiny_model import VOCABULARY, make_tiny_model


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    directory: Path = tmp_path_factory.mktemp("model")
    make_tiny_model(directory, tied=request.param)
    return load_model(directory)


def random_sequences(lengths: list[int], seed: int = 0) -> list[TokenSequence]:
    generator = torch.Generator().manual_seed(seed)
    return [
        TokenSequence(torch.randint(VOCABULARY, (length,), generator=generator).tolist(), 1 + number % (length - 1))
        for number, length in enumerate(lengths)
    ]


def one_by_one(model: PreTrainedModel, sequence: TokenSequence) -> float:
    """The definition: minus the logarithm of the probability of each predicted token, added up."""
    with torch.inference_mode():
        logits = model(torch.tensor([sequence.ids])).logits[0].double()
    probabilities = logits.softmax(-1)
    return -sum(
        float(probabilities[place - 1, sequence.ids[place]].log())
        for place in range(sequence.prefix, len(sequence.ids))
    )


def test_equals_the_definition_for_uneven_lengths(model: PreTrainedModel) -> None:
    sequences = random_sequences([2, 40, 7, 300, 3, 41, 299, 150, 2, 5])
    expected = [one_by_one(model, sequence) for sequence in sequences]
    assert negative_log_likelihoods(model, sequences) == pytest.approx(expected, abs=1e-3, rel=1e-5)


@pytest.mark.parametrize("positions", [1, 7, 64])
def test_equals_the_definition_when_the_scores_must_be_taken_in_stretches(
    model: PreTrainedModel, positions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequences = random_sequences([2, 40, 130, 65, 3])
    expected = [one_by_one(model, sequence) for sequence in sequences]
    monkeypatch.setattr(scoring, "LOGIT_BYTES", 4 * VOCABULARY * positions)
    assert negative_log_likelihoods(model, sequences) == pytest.approx(expected, abs=1e-3, rel=1e-5)


def test_scores_over_the_vocabulary_stay_within_their_memory(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "LOGIT_BYTES", 4 * VOCABULARY * 50)
    seen: list[int] = []
    handle = model.get_output_embeddings().register_forward_hook(
        lambda layer, inputs, output: seen.append(output.numel() // VOCABULARY)
    )
    try:
        negative_log_likelihoods(model, random_sequences([200, 30, 20, 20, 10, 5]))
    finally:
        handle.remove()
    assert max(seen) <= 50


def test_half_precision_is_close(model: PreTrainedModel) -> None:
    sequences = random_sequences([100, 80, 60])
    exact = sum(negative_log_likelihoods(model, sequences))
    assert sum(negative_log_likelihoods(model, sequences, "bf16")) == pytest.approx(exact, rel=5e-3)


def test_progress_counts_every_sequence(model: PreTrainedModel) -> None:
    heard: list[int] = []
    negative_log_likelihoods(model, random_sequences([5] * 9), on_progress=heard.append)
    assert heard[-1] == 9
    assert heard == sorted(heard)


@given(
    st.lists(st.tuples(st.integers(2, 6_000), st.integers(1, 100)), max_size=30),
    st.integers(1, 5_000),
)
def test_batches_hold_each_sequence_once_and_stay_within_limits(shapes: list[tuple[int, int]], most: int) -> None:
    sequences = [TokenSequence([0] * length, min(prefix, length - 1)) for length, prefix in shapes]
    grouped = list(batches_by_length(sequences, most))
    assert sorted(index for batch in grouped for index in batch) == list(range(len(sequences)))
    for batch in grouped:
        members = [sequences[index] for index in batch]
        longest = max(len(member.ids) for member in members)
        assert len(members) == 1 or (
            sum(member.predicted for member in members) <= most and len(members) * longest <= scoring.BATCH_TOKENS
        )


def test_scores_add_up_and_divide_by_characters_and_bytes() -> None:
    score = Score.of("春天", 4 * 0.6931471805599453, 3) + Score.of("ab", 0.0, 1)
    assert score.summary() == {
        "bits_per_character": 1.0,
        "bits_per_byte": 0.5,
        "characters_per_token": 1.0,
        "characters": 4,
        "bytes": 8,
        "tokens": 4,
    }
