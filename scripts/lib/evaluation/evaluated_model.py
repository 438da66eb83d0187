"""The model that is measured, with its tokenizer, as users will ask it."""

import datetime
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from lib.chat.answers import end_tokens
from lib.chat.templates import fix_date
from lib.core.outputs import read_json
from lib.models.loading import check_sizes, load_model, load_tokenizer
from lib.settings.sft import InstructionSettings
from lib.training.adapters import trained_model


def load_evaluated(
    model: Path, adapter: Path | None, sft_data: Path | None, tokenizer: Path | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast, PreTrainedTokenizerFast]:
    """The model with its tokenizer, and the tokenizer that has the chat template.

    All arguments are manifests: of the model, of an adapter to merge into it, of the instruction data and, in a run
    without any, of the run's tokenizer.
    """
    assert sft_data or tokenizer
    chat = load_tokenizer(sft_data.parent / "tokenizer" if sft_data else tokenizer.parent)  # type: ignore[union-attr]
    settings = read_json(sft_data)["settings"] if sft_data else InstructionSettings().model_dump()
    date = datetime.date.fromisoformat(str(settings["date"]))
    return *load(model.parent, adapter.parent if adapter else None, chat, date), chat


def load(
    directory: Path, adapter: Path | None, chat: PreTrainedTokenizerFast, date: datetime.date
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The model with its tokenizer; an adapter directory is merged into it.

    `chat` is the tokenizer of the instruction data or, in a run without any, the run's. Its template is what a model
    with an adapter was trained with, and what is used where the base model brought none; a template of its own writes
    `date` for today's.
    """
    model = trained_model(directory, adapter) if adapter else load_model(directory)
    tokenizer = load_tokenizer(directory)
    check_sizes(model, tokenizer)
    if adapter or not tokenizer.chat_template:
        tokenizer.chat_template = chat.chat_template
        model.generation_config.eos_token_id = end_tokens(model, chat)
    else:
        fix_date(tokenizer, date)
    return model, tokenizer
