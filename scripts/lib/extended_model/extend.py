"""Giving a model rows for new tokens, as the settings say where they start."""

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from lib.core.program import say
from lib.extended_model.aligned_text import ReplacedText, replaced_texts
from lib.extended_model.fit_inputs import fit_input_rows
from lib.extended_model.fit_outputs import fit_output_rows, read_positions, shares_of_first
from lib.extended_model.rows import Constituents, add_rows, is_tied, put_rows, untie
from lib.models.compute import Precision
from lib.settings.tokenizer import InitializationSettings
from lib.text.hashes import checksum
from lib.text.sample import sample_pieces

PIECE_CHARACTERS = 256
REPORT_STEPS = 20
REPORT_TEXTS = 80
REPORT_PASSES = 2


def extend_model(
    model: PreTrainedModel,
    new_tokens: Constituents,
    extended: Tokenizer,
    before: Sequence[int],
    text: Iterable[tuple[str, str]],
    settings: InitializationSettings,
    precision: Precision,
    seed: int,
) -> None:
    """Give `model`, in place, rows for `new_tokens` of the tokenizer `extended` that start as `settings` say.

    They are fitted on training text, given as (source, text) pairs; the tokens `before` begin a text.
    """
    if settings.untie:
        untie(model)
    if not new_tokens:
        return
    pieces = sample_pieces(text, PIECE_CHARACTERS, settings.fit_characters)
    # Each piece in a place that hangs on its text alone, so that the steps see all sources in turn.
    chosen = sorted((piece.text for piece in pieces), key=checksum)
    train = list(replaced_texts(chosen, extended, new_tokens, before))
    generator = torch.Generator().manual_seed(seed)
    if settings.initialization != "fitted":
        frequencies = Counter(token_id for text in train for token_id in text.base_ids)
        add_rows(model, new_tokens, settings.initialization, generator, frequencies)
        return
    add_rows(model, new_tokens, "mean", generator)
    fit(model, new_tokens, train, settings.fit_steps, precision, generator)


def fit(
    model: PreTrainedModel,
    new_tokens: Constituents,
    train: Sequence[ReplacedText],
    steps: int,
    precision: Precision,
    generator: torch.Generator,
) -> None:
    """Fit the rows of `new_tokens`, which `model` has already: input rows, and output rows on top of what they do.

    A tied row is one that serves as output row, held near the one that serves as input row.
    """

    def after_step(step: int, loss: float) -> None:
        if step % REPORT_STEPS == 0 or step == steps:
            say(f"tokenizer: input rows: step {step}/{steps}  difference {loss:.4f}")

    def after_texts(done: int) -> None:
        if done % REPORT_TEXTS == 0 or done == len(train):
            say(f"tokenizer: output rows: {done} of {len(train)} pieces of text read")

    def after_pass(number: int, passes: int, loss: float) -> None:
        if number % REPORT_PASSES == 0 or number == passes:
            say(f"tokenizer: output rows: pass {number}/{passes}  loss {loss:.4f}")

    first_new = min(new_tokens)
    old_rows = model.get_input_embeddings().weight[:first_new].float()
    inputs = model.get_input_embeddings().weight[list(new_tokens)].float()
    inputs = fit_input_rows(model, inputs, new_tokens, train, steps, precision, after_step)
    put_rows(model, new_tokens, inputs, inputs)
    positions = read_positions(model, train, first_new, precision, after_texts)
    start = inputs if is_tied(model) else shares_of_first(model, new_tokens, train, positions)
    scale = float(old_rows.square().mean().sqrt())
    outputs = fit_output_rows(start, scale, first_new, positions, precision, generator, after_pass)
    put_rows(model, new_tokens, outputs if is_tied(model) else inputs, outputs)
