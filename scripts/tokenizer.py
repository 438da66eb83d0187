"""Continue the base tokenizer's training on the training text.

    python scripts/tokenizer.py --settings '{"new_tokens": 2000}' \
        --base-model results/base_model/manifest.json --corpus results/corpus/manifest.json \
        --output results/tokenizer/manifest.json

Writes a Hugging Face tokenizer directory; its manifest says how many characters a token holds before and after. When
nothing is to be added, the files of the base are copied as they are.
"""

import argparse
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from lib.base_vocabulary import base_vocabulary
from lib.continued_bpe import Extension, Goal, extend, learn
from lib.corpus import text_batches, texts
from lib.errors import UserError, run
from lib.manifest import read_json, write_json, write_manifest
from lib.outputs import new_directory
from lib.run_counts import RunCounter
from lib.settings.base import from_json
from lib.settings.tokenizer import MOST_NEW_TOKENS, VocabularySettings
from lib.token_traits import TokenTraits

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(VocabularySettings, args.settings)

    base = Tokenizer.from_file(str(args.base_model.parent / "tokenizer.json"))
    facts: dict[str, Any] = {}
    extended = base
    if settings.new_tokens:
        extension, facts = learned(base, text_batches(args.corpus, "train"), settings)
        extended = extend(base, extension)
    counts = {
        "base_tokens": base.get_vocab_size(),
        "new_tokens": extended.get_vocab_size() - base.get_vocab_size(),
        **compare(base, extended, (text for _, text in texts(args.corpus, "validation"))),
    }
    with new_directory(args.output.parent) as directory:
        copy_files(args.base_model.parent, directory)
        if extended is not base:
            write(extended, directory)
        write_manifest(
            directory,
            inputs={"base_model": args.base_model, "corpus": args.corpus},
            counts=counts,
            settings=settings,
            packages=["tokenizers", "numpy"],
            facts=facts,
        )
    print(
        f"tokenizer: {counts['new_tokens']:,} new tokens; held-out text has "
        f"{counts['characters_per_token_extended']:.3f} characters per token "
        f"({counts['characters_per_token_base']:.3f} with the base vocabulary)",
        flush=True,
    )


def learned(
    tokenizer: Tokenizer, train: Iterable[list[str]], settings: VocabularySettings
) -> tuple[Extension, dict[str, Any]]:
    """What the texts in `train` (in batches) teach, as far as `settings` ask for it, and what it was learned from."""
    base = base_vocabulary(tokenizer)
    traits = TokenTraits(base, settings.keep_latin)
    counter = RunCounter(base, traits)
    for batch in train:
        counter.add(batch)
    runs = counter.counts()
    sample = "" if counter.share == 1 else f", in {counter.share:.2%} of the documents"
    print(f"tokenizer: {len(runs):,} distinct runs of tokens{sample}", flush=True)
    auto = settings.new_tokens == "auto"
    limit = MOST_NEW_TOKENS if settings.new_tokens == "auto" else settings.new_tokens
    extension = learn(
        base,
        traits,
        runs,
        Goal(limit, settings.characters_per_token, settings.minimum_gain if auto else 0),
        characters=counter.characters,
        tokens=counter.tokens,
        minimum_frequency=settings.minimum_frequency,
        maximum_length=settings.maximum_length,
    )
    if not extension.tokens:
        raise UserError(
            "the training text holds no pair of tokens to merge; add text, or lower tokenizer.minimum_frequency or "
            "tokenizer.minimum_gain, or set tokenizer.new_tokens to 0"
        )
    if not auto and settings.characters_per_token is None and len(extension.tokens) < limit:
        number = len(extension.tokens)
        print(f"tokenizer: the text holds only {number:,} of the {limit:,} tokens asked for", flush=True)
    return extension, {"learned_from_share": counter.share, "learned_from_characters": counter.characters}


def compare(base: Tokenizer, extended: Tokenizer, held_out: Iterable[str]) -> dict[str, float]:
    """Characters per token on held-out text with either vocabulary, and how many of the new tokens it uses."""
    characters = base_tokens = extended_tokens = 0
    used: set[int] = set()
    for text in held_out:
        ids = extended.encode(text, add_special_tokens=False).ids
        characters += len(text)
        base_tokens += len(base.encode(text, add_special_tokens=False).ids)
        extended_tokens += len(ids)
        used.update(ids)
    first_new = max(base.get_vocab().values()) + 1
    return {
        "held_out_characters": characters,
        "characters_per_token_base": round(characters / max(base_tokens, 1), 4),
        "characters_per_token_extended": round(characters / max(extended_tokens, 1), 4),
        "new_tokens_used": sum(token_id >= first_new for token_id in used),
    }


def copy_files(source: Path, target: Path) -> None:
    """Copy the files that make up a tokenizer, byte for byte."""
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def write(tokenizer: Tokenizer, directory: Path) -> None:
    """Put `tokenizer` in the place of the one in `directory`.

    Its tokenizer.json says all. transformers' classes for single models would build theirs from the vocabulary alone.
    """
    tokenizer.save(str(directory / "tokenizer.json"))
    config = read_json(directory / "tokenizer_config.json")
    for key in ("add_prefix_space", "legacy", "sp_model_kwargs", "added_tokens_decoder"):
        config.pop(key, None)
    write_json(directory / "tokenizer_config.json", config | {"tokenizer_class": "PreTrainedTokenizerFast"})


if __name__ == "__main__":
    run(main)
