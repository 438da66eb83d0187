"""The files of a tokenizer as they are published: tokenizer.json says all, in transformers 4 and 5."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from lib.core.integrity import require_intact

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
TOKENIZER_CLASS = "PreTrainedTokenizerFast"
"""The class that reads tokenizer.json as it is. transformers 5 calls it TokenizersBackend and knows both names."""
# Settings of other classes, which build their tokenizer from the vocabulary, and traces of how it was loaded.
DROPPED_SETTINGS = {
    "add_bos_token",
    "add_eos_token",
    "add_prefix_space",
    "added_tokens_decoder",
    "auto_map",
    "backend",
    "clean_up_tokenization_spaces",
    "errors",
    "extra_special_tokens",
    "from_slow",
    "is_local",
    "legacy",
    "local_files_only",
    "name_or_path",
    "sp_model_kwargs",
    "special_tokens_map_file",
    "spaces_between_special_tokens",
    "tokenizer_file",
    "use_default_system_prompt",
}


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy the files that make up a tokenizer, byte for byte, from one directory into another."""
    require_intact(source, *TOKENIZER_FILES)
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def published_config(settings: Mapping[str, Any], backend: Tokenizer) -> dict[str, Any]:
    """A tokenizer_config.json, of whatever class, as one that leaves all but the special tokens to tokenizer.json."""
    kept = {key: value for key, value in settings.items() if key not in DROPPED_SETTINGS}
    if special := _special_tokens(settings):
        kept["additional_special_tokens"] = special
    before = json.loads(backend.to_str())["pre_tokenizer"] or {}
    if "add_prefix_space" in before:
        # transformers 4 sets it to false where it is not given here.
        kept["add_prefix_space"] = before["add_prefix_space"]
    kept |= {
        "tokenizer_class": TOKENIZER_CLASS,
        "clean_up_tokenization_spaces": False,  # only transformers 4 would, and give other text than it was given
        "model_input_names": ["input_ids", "attention_mask"],  # token types otherwise in transformers 4
    }
    return dict(sorted(kept.items()))


def _special_tokens(settings: Mapping[str, Any]) -> list[Any]:
    """Special tokens beside the begin, end, padding token and so on, under either version's name."""
    for key in ("extra_special_tokens", "additional_special_tokens"):
        if isinstance(found := settings.get(key), list) and found:
            return found
    return []
