"""Continue the base tokenizer's training on the training text.

    python scripts/tokenizer.py --settings '{"new_tokens": 2000}' \
        --base-model results/base_model/manifest.json --corpus results/corpus/manifest.json \
        --output results/tokenizer/manifest.json

Writes a Hugging Face tokenizer directory; its manifest says how many characters a token holds before and after.
"""

import argparse
import shutil
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer

from lib.continued_bpe import check_extensible, count_pieces, extend, learn_merges
from lib.corpus import texts
from lib.errors import UserError, run
from lib.manifest import write_manifest
from lib.outputs import new_directory
from lib.settings.base import from_json
from lib.settings.tokenizer import VocabularySettings

TOKENIZER_FILES = ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(VocabularySettings, args.settings)

    base = Tokenizer.from_file(str(args.base_model.parent / "tokenizer.json"))
    extended = learn(base, (text for _, text in texts(args.corpus, "train")), settings)
    counts = {
        "base_tokens": base.get_vocab_size(),
        "new_tokens": extended.get_vocab_size() - base.get_vocab_size(),
        **compare(base, extended, (text for _, text in texts(args.corpus, "validation"))),
    }
    with new_directory(args.output.parent) as directory:
        for name in TOKENIZER_FILES:
            if (args.base_model.parent / name).is_file():
                shutil.copyfile(args.base_model.parent / name, directory / name)
        extended.save(str(directory / "tokenizer.json"))
        write_manifest(
            directory,
            inputs={"base_model": args.base_model, "corpus": args.corpus},
            counts=counts,
            settings=settings,
            packages=["tokenizers"],
        )
    print(
        f"tokenizer: {counts['new_tokens']:,} new tokens; held-out text has "
        f"{counts['characters_per_token_extended']:.3f} characters per token "
        f"({counts['characters_per_token_base']:.3f} with the base vocabulary)",
        flush=True,
    )


def learn(base: Tokenizer, train: Iterable[str], settings: VocabularySettings) -> Tokenizer:
    """`base` extended by what `settings` ask for, learned from the texts in `train`."""
    if settings.new_tokens == 0:
        return base
    check_extensible(base)
    piece_counts = count_pieces(base, train)
    print(f"tokenizer: {len(piece_counts):,} distinct pieces of text", flush=True)
    merges = learn_merges(
        base,
        piece_counts,
        settings.new_tokens,
        minimum_frequency=settings.minimum_frequency,
        maximum_length=settings.maximum_length,
        keep_ascii=settings.keep_ascii,
    )
    if not merges:
        raise UserError(
            "the training text holds no pair of tokens to merge; add text, or lower tokenizer.minimum_frequency, "
            "or set tokenizer.new_tokens to 0"
        )
    extended = extend(base, merges)
    learned = extended.get_vocab_size() - base.get_vocab_size()
    if learned < settings.new_tokens:
        print(f"tokenizer: the text holds only {learned:,} of the {settings.new_tokens:,} tokens asked for", flush=True)
    return extended


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


if __name__ == "__main__":
    run(main)
