r"""Continue the base tokenizer's training on the training text.

    python scripts/tokenizer.py --settings '{"new_tokens": 2000}' \
        --base-model results/base_model/manifest.json --corpus results/corpus/manifest.json \
        --output results/tokenizer/manifest.json

Writes a Hugging Face tokenizer directory, with report.json and report.tsv: how base and extended vocabulary do on
held-out text. When no tokens are to be added, the files of the base are copied as they are; with the setting `uri`,
those of a tokenizer of the user's own.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from lib.core.errors import UserError, about
from lib.core.integrity import described_directory, require_intact
from lib.core.manifest import write_manifest
from lib.core.outputs import read_json, write_json
from lib.core.places import local_path
from lib.core.program import program_parser, run, say
from lib.corpus.storage.reader import text_batches, texts
from lib.models.tokenizer_files import TOKENIZER_FILES, copy_tokenizer, published_config
from lib.settings.base import from_json
from lib.settings.tokenizer import MOST_NEW_TOKENS, VocabularySettings
from lib.sources.addresses import fetched
from lib.tokenizer.base_vocabulary import base_vocabulary
from lib.tokenizer.continued_bpe import Budget, Extension, Goal, extend_tokenizer, learn
from lib.tokenizer.control_tokens import Completion, completion, missing_tokens
from lib.tokenizer.leading_marks import with_leading_marks
from lib.tokenizer.own_tokenizer import read_own_tokenizer
from lib.tokenizer.report import by_vocabulary, compare, table
from lib.tokenizer.run_counter import RunCounter
from lib.tokenizer.token_rules import Limits
from lib.tokenizer.token_table import TokenTraits
from lib.tokenizer.user_words import add_words, read_terms

DOCUMENTS_COMPARED = 200
"""Number of held-out documents that transformers is to read as tokenizer.json says, where text is cut otherwise."""


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, nargs="?")
    parser.add_argument("--control-tokens", type=json.loads, default=[], help="JSON list of special tokens to be there")
    parser.add_argument(
        "--budget",
        type=json.loads,
        default={},
        help="with new_tokens: auto, how much text rows are trained on, as JSON: {tokens}, {passes} or {characters}",
    )
    parser.add_argument("--downloads", type=Path, default=Path("work/downloads"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(VocabularySettings, args.settings)

    base_directory = args.base_model.parent
    base = Tokenizer.from_file(str(require_intact(base_directory / "tokenizer.json")))
    inputs = {"base_model": args.base_model}
    if args.corpus:
        inputs["corpus"] = args.corpus
    with fetched(settings.uri, args.downloads) if settings.uri else nullcontext(base_directory) as source:
        if settings.uri:
            with about("settings: tokenizer.uri"):
                extended, lacking, facts = read_own_tokenizer(source, base), Completion(), {"uri": settings.uri}
            inputs |= {name: source / name for name in TOKENIZER_FILES if (source / name).is_file()}
        else:
            extended, lacking, facts = extension_of(
                base, base_directory, args.corpus, settings, args.control_tokens, args.budget
            )
        if settings.words and not settings.uri:
            inputs["words"] = local_path(settings.words)
        report = compare(base, extended, texts(args.corpus, "validation") if args.corpus else ())
        report["why_so_many"] = facts.get("why_so_many")
        with described_directory(args.output.parent) as directory:
            copy_tokenizer(source, directory)
            if extended is not base:
                write(extended, lacking, directory)
            if settings.uri or cuts_otherwise(base, extended):
                held_out = texts(args.corpus, "validation") if args.corpus else iter(())
                check_with_model(directory, base_directory, held_out)
            write_json(directory / "report.json", report)
            table(report).write_csv(directory / "report.tsv", separator="\t")
            write_manifest(
                directory,
                inputs=inputs,
                counts=counts_of(base, extended, report),
                settings=settings,
                packages=["tokenizers", "numpy"],
                facts=facts,
            )
    say(summary(report))


def extension_of(
    base: Tokenizer,
    directory: Path,
    corpus: Path | None,
    settings: VocabularySettings,
    control_tokens: Sequence[str],
    budget: Mapping[str, float],
) -> tuple[Tokenizer, Completion, dict[str, Any]]:
    """`base`, from `directory`, with the tokens that are asked for; what it lacked; what was learned from."""
    facts: dict[str, Any] = {}
    extended, lacking = base, Completion()
    if settings.new_tokens and settings.leading_marks:
        extended = with_leading_marks(base)
    if settings.words:
        extended = add_words(extended, read_terms(local_path(settings.words)))
    if settings.words or settings.new_tokens or missing_tokens(base, control_tokens):
        lacking = lacking_in(base, directory, settings, control_tokens)
        extended = with_control_tokens(extended, lacking.tokens)
    if settings.new_tokens and corpus:
        extension, facts = learned(extended, text_batches(corpus, "train"), settings, budget)
        if not extension.tokens:
            none = settings.model_copy(update={"new_tokens": 0})
            return *extension_of(base, directory, corpus, none, control_tokens, budget)[:2], facts
        extended = extend_tokenizer(extended, extension)
    return extended, lacking, facts


def learned(
    tokenizer: Tokenizer, train: Iterable[list[str]], settings: VocabularySettings, budget: Mapping[str, float]
) -> tuple[Extension, dict[str, Any]]:
    """What the texts in `train` (in batches) teach, as far as `settings` ask for it, and what it was learned from.

    With `new_tokens: auto` and a small `budget` it may be nothing.
    """
    base = base_vocabulary(tokenizer)
    traits = TokenTraits(base, Limits(settings.keep_latin, settings.leading_marks))
    counter = RunCounter(base, traits)
    for batch in train:
        counter.add(batch)
    runs = counter.counts()
    sample = "" if counter.share == 1 else f", in {counter.share:.2%} of the documents"
    say(f"tokenizer: {len(runs):,} distinct runs of tokens{sample}")
    goal = Goal(
        MOST_NEW_TOKENS if settings.new_tokens == "auto" else settings.new_tokens,
        settings.characters_per_token,
        multiple=settings.vocabulary_multiple,
        size_before=traits.end_of_run,
    )
    if settings.new_tokens == "auto":
        goal = replace(goal, least_gain=settings.minimum_gain)
        if budget:
            goal = replace(goal, least_seen=settings.minimum_seen, budget=budget_for(counter, budget))
    extension = learn(
        base,
        traits,
        runs,
        goal,
        characters=counter.characters,
        tokens=counter.tokens,
        minimum_frequency=settings.minimum_frequency,
        maximum_length=settings.maximum_length,
    )
    if not extension.tokens and extension.next_seen is None:
        raise UserError(
            "the training text holds no pair of tokens to merge; add text, or lower tokenizer.minimum_frequency or "
            "tokenizer.minimum_gain, or set tokenizer.new_tokens to 0"
        )
    facts: dict[str, Any] = {"learned_from_share": counter.share, "learned_from_characters": counter.characters}
    if settings.new_tokens == "auto":
        facts["why_so_many"] = why_so_many(settings, budget, extension.next_seen)
        say(f"tokenizer: auto: {len(extension.tokens):,} new tokens: {facts['why_so_many']}")
    number, asked = len(extension.tokens), goal.rounded(goal.new_tokens)
    if settings.new_tokens != "auto" and settings.characters_per_token is None and number < asked:
        say(f"tokenizer: the text holds only {number:,} of the {asked:,} tokens asked for")
    return extension, facts


def budget_for(counter: RunCounter, budget: Mapping[str, float]) -> Budget:
    """The `budget` of the command line for the text that is counted, a sample of all."""
    if "tokens" in budget:
        return Budget(tokens=round(budget["tokens"]))
    passes = budget["passes"] if "passes" in budget else budget["characters"] * counter.share / counter.characters
    return Budget(passes=passes / counter.share)


def why_so_many(settings: VocabularySettings, budget: Mapping[str, float], next_seen: float | None) -> str:
    """What ended the learning of tokens whose number is `auto`."""
    if next_seen is None:
        return (
            "more of them would shorten the text too little "
            f"(tokenizer.minimum_gain {settings.minimum_gain:g}), or the text holds no more"
        )
    ((unit, amount),) = budget.items()
    reads = {
        "tokens": f"stage 1 reads {amount:,} tokens of text",
        "passes": f"stage 1 reads the text {amount:g} times",
        "characters": f"rows are fitted on {amount:,} characters",
    }[unit]
    return (
        f"{reads} and would see the next one {next_seen:.1f} times (tokenizer.minimum_seen {settings.minimum_seen:g})"
    )


def lacking_in(
    base: Tokenizer, directory: Path, settings: VocabularySettings, control_tokens: Sequence[str]
) -> Completion:
    """What the base tokenizer in `directory` lacks to be trained on conversations."""
    config = read_json(directory / "tokenizer_config.json")
    has_template = bool(config.get("chat_template")) or (directory / "chat_template.jinja").is_file()
    return completion(base, config, has_template, settings.chat_template, control_tokens)


def with_control_tokens(tokenizer: Tokenizer, tokens: Sequence[str]) -> Tokenizer:
    """A copy of `tokenizer` with special tokens behind its others."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])
    return copy


def cuts_otherwise(base: Tokenizer, extended: Tokenizer) -> bool:
    """Whether text is cut in another way before it is looked up."""
    if extended is base:
        return False
    first, second = (json.loads(tokenizer.to_str())["pre_tokenizer"] for tokenizer in (base, extended))
    return bool(first != second)


def check_with_model(directory: Path, base_directory: Path, held_out: Iterable[tuple[str, str]]) -> None:
    """Raise UserError unless transformers reads the tokenizer in `directory` as it is, beside the base model."""
    # Seconds of imports, which a base's own pre-tokenizer does not need: it was checked when the base was published.
    from lib.models.loading import quiet_libraries
    from lib.models.publishing import check_tokenizer

    quiet_libraries()
    check_tokenizer(directory, base_directory, (text for _, text in islice(held_out, DOCUMENTS_COMPARED)))


def counts_of(base: Tokenizer, extended: Tokenizer, report: dict[str, Any]) -> dict[str, Any]:
    """The figures that the manifest holds."""
    rows = by_vocabulary(report)
    return {
        "base_tokens": base.get_vocab_size(),
        "new_tokens": extended.get_vocab_size() - base.get_vocab_size(),
        "held_out_characters": rows["base"]["characters"] if rows else 0,
        **{f"characters_per_token_{name}": row["characters_per_token"] for name, row in rows.items()},
        "new_tokens_used": report["new_tokens_used"],
    }


def summary(report: dict[str, Any]) -> str:
    """What the program says at its end."""
    ratios = {name: row["characters_per_token"] for name, row in by_vocabulary(report).items()}
    said = f"tokenizer: {report['new_tokens']:,} new tokens"
    if not all(ratios.get(name) for name in ("base", "extended")):
        return f"{said}; there is no held-out text to measure them on"
    return (
        f"{said}; held-out text has {ratios['extended']:.3f} characters per token "
        f"({ratios['base']:.3f} with the base vocabulary)"
    )


def write(tokenizer: Tokenizer, lacking: Completion, directory: Path) -> None:
    """Put `tokenizer`, and what the base was lacking, in the place of the one in `directory`.

    Its tokenizer.json says all. transformers' classes for single models would build theirs from the vocabulary alone.
    """
    tokenizer.save(str(directory / "tokenizer.json"))
    config = published_config(read_json(directory / "tokenizer_config.json"), tokenizer)
    if lacking.pad_token:
        config["pad_token"] = lacking.pad_token
    if lacking.chat_template:
        (directory / "chat_template.jinja").write_text(lacking.chat_template, encoding="utf-8")
    write_json(directory / "tokenizer_config.json", config)
    special = directory / "special_tokens_map.json"  # of older versions, and read before the other one
    if lacking.pad_token and special.is_file():
        write_json(special, read_json(special) | {"pad_token": lacking.pad_token})


if __name__ == "__main__":
    run(main)
