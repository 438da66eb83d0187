r"""Turn instruction sets into training examples: chat text and tokens, with labels on what the assistant says only.

    python scripts/sft_data.py --settings '{"max_length": 512}' --reading '{}' --seed 1 \
        --tokenizer results/tokenizer/manifest.json --sets '[{"name": "demo", "uri": "…"}]' \
        --downloads work/downloads --output results/sft_data/manifest.json

Writes train and validation as readable .jsonl and as .arrow (input_ids, labels; source for validation), skipped.jsonl
with every record or turn left out, its file and line, and the reason, and tokenizer/: the tokenizer
with the chat template of the examples.
With packing, a row of train.arrow holds several examples, and position_ids start again with each.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl
import pyarrow.compute as pc

from lib.chat.known_templates import is_file
from lib.chat.templates import TemplateOptions, set_template
from lib.core.errors import UserError
from lib.core.integrity import described_directory
from lib.core.manifest import write_manifest
from lib.core.outputs import new_file, scratch_directory
from lib.core.places import local_path
from lib.core.program import program_parser, run, say
from lib.corpus.split.sampling import copies
from lib.files.text_files import Broken
from lib.models.loading import load_tokenizer, quiet_libraries
from lib.models.publishing import publish_tokenizer
from lib.settings.base import from_json
from lib.settings.corpus import ReadingLimits
from lib.settings.sft import InstructionSettings
from lib.sft.conversations import Conversation
from lib.sft.duplicates import conversation_hash, find_repeated
from lib.sft.examples import Example, ExampleMaker
from lib.sft.instructions import InstructionRecord, InstructionSet, held_out, opened_sets
from lib.sft.reading_report import ReadingReport
from lib.tokens.bin_packing import fill_bins
from lib.tokens.token_files import IGNORED_LABEL, TokenWriter, read_tokens

SPLITS = ("train", "validation")
REASONS = (
    "broken",
    "too_long",
    "shortened",
    "exact_duplicate",
    "near_duplicate",
    "control_token",
    "template",
    "untrained",
    "weight",
)


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--reading", required=True, help="how much of a file is read, as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--sets", type=json.loads, required=True, help="JSON list of rows of the sheet, as objects")
    parser.add_argument("--downloads", type=Path, default=Path("work/downloads"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(InstructionSettings, args.settings)
    quiet_libraries()

    tokenizer = load_tokenizer(args.tokenizer.parent)
    template_file = local_path(settings.template) if is_file(settings.template) else None
    with described_directory(args.output.parent) as directory:
        with ExitStack() as files:
            sets = opened_sets(args.sets, args.downloads, from_json(ReadingLimits, args.reading), files)
            reports = {one.name: ReadingReport(one.name, settings) for one in sets}
            repeated = look_for_repeated(sets, reports, settings, directory / "scratch")
            uses_tools = any(report.uses_tools for report in reports.values())
            set_template(tokenizer, template_file or settings.template, template_options(settings, uses_tools))
            publish_tokenizer(tokenizer, directory / "tokenizer")
            make = ExampleMaker(tokenizer, settings)
            counts = write_examples(sets, reports, repeated, make, settings, args.seed, directory)
        for name, report in reports.items():
            for line in report.lines():
                say(f"sft: {name}: {line}")
        check_splits(counts, settings)
        facts = {
            "sets": [row["name"] for row in args.sets],
            "addresses": {row["name"]: row["uri"] for row in args.sets},
            "masked": masked(counts),
            "reading": {name: report.facts() for name, report in reports.items()},
        }
        if settings.packing:
            counts["train_rows"] = pack_examples(directory / "train.arrow", settings.max_length, args.seed)
            facts["padding"] = round(1 - counts["train_tokens"] / (counts["train_rows"] * settings.max_length), 4)
        write_manifest(
            directory,
            inputs={"tokenizer": args.tokenizer} | ({"template": template_file} if template_file else {}),
            counts=counts,
            settings=settings,
            seed=args.seed,
            packages=["transformers", "tokenizers", "pyarrow"],
            facts=facts,
        )
    rows = f" in {counts['train_rows']:,} rows" if settings.packing else ""
    set_aside = counts["skipped_broken"] + counts["skipped_template"]
    duplicates = counts["skipped_exact_duplicate"] + counts["skipped_near_duplicate"]
    say(
        f"sft: {counts['train']:,} examples to train on{rows}, {counts['validation']:,} held out, "
        f"{counts['skipped_too_long']} too long, {duplicates} duplicates, {set_aside} set aside; "
        f"the loss leaves out {masked(counts):.0%} of the tokens",
    )


def look_for_repeated(
    sets: Sequence[InstructionSet],
    reports: Mapping[str, ReadingReport],
    settings: InstructionSettings,
    scratch: Path,
) -> dict[int, tuple[str, int]]:
    """The conversations that repeat an earlier one, in its set or in a set above it; see find_repeated.

    Fills the report of each set. Raises UserError when too many of its records are broken.
    """

    def conversations() -> Iterator[Conversation]:
        for one in sets:
            for record in one.records():
                reports[one.name].add(record)
                if isinstance(record.found, Conversation):
                    yield record.found
            reports[one.name].check()

    with scratch_directory(scratch):
        return find_repeated(
            conversations(), settings.near_duplicate_similarity if settings.near_duplicates else None, scratch
        )


def template_options(settings: InstructionSettings, uses_tools: bool) -> TemplateOptions:
    """How the chat template is changed."""
    return TemplateOptions(settings.system, settings.refused_system == "before_question", uses_tools, settings.date)


def write_examples(
    sets: Sequence[InstructionSet],
    reports: Mapping[str, ReadingReport],
    repeated: Mapping[int, tuple[str, int]],
    make: ExampleMaker,
    settings: InstructionSettings,
    seed: int,
    directory: Path,
) -> Counter[str]:
    """Stream every record of every set into train, validation or skipped; returns the counts.

    What the chat template cannot write is set aside as broken records are, and added to the reports.
    """
    originals = {original for _, original in repeated.values()}
    names: dict[int, str] = {}
    number = 0
    with ExampleFiles(directory) as files:
        for one in sets:
            for record in one.records():
                if isinstance(record.found, Broken):
                    kind = "untrained" if record.found.kind == "untrained" else "broken"
                    files.skip(record, kind, record.found.reason)
                    continue
                if number in originals:
                    names[number] = record.id
                if number in repeated:
                    rule, original = repeated[number]
                    files.skip(record, rule, f"{rule.replace('_', ' ')} of {names[original]}")
                else:
                    fitted = make(record.found)
                    if fitted.left_out:
                        files.skip(record, *fitted.left_out)
                        if fitted.left_out[0] == "template":
                            reports[one.name].set_aside(record, fitted.left_out[1])
                    if not fitted.examples:
                        pass
                    elif held_out(record.found.prompt, settings.validation_fraction, seed):
                        files.add("validation", record, fitted.examples)
                    else:
                        hashes = pl.Series([conversation_hash(record.found)])
                        times = int(copies(hashes, one.weight, seed)[0])
                        if times:
                            files.add("train", record, fitted.examples * times)
                        else:
                            files.skip(record, "weight", f"not drawn at weight {one.weight:g}")
                number += 1
            reports[one.name].check()
    return files.counts


class ExampleFiles:
    """The files that examples go into, and how many went where."""

    def __init__(self, directory: Path) -> None:
        names = (*SPLITS, *(f"{split}_records" for split in SPLITS), *(f"skipped_{reason}" for reason in REASONS))
        self.counts = Counter(dict.fromkeys(names, 0))
        self._open = ExitStack()
        self._readable = {
            name: self._open.enter_context((directory / f"{name}.jsonl").open("w", encoding="utf-8"))
            for name in (*SPLITS, "skipped")
        }
        self._tokens = {
            "train": self._open.enter_context(TokenWriter(directory / "train.arrow", ["input_ids", "labels"])),
            "validation": self._open.enter_context(
                TokenWriter(directory / "validation.arrow", ["input_ids", "labels"], texts=["source"])
            ),
        }

    def add(self, split: str, record: InstructionRecord, examples: Iterable[Example]) -> None:
        """One more record of a split, with a row for each of its examples."""
        self.counts[f"{split}_records"] += 1
        for example in examples:
            self.counts[split] += 1
            self.counts[f"{split}_tokens"] += len(example.input_ids)
            self.counts[f"{split}_trained_tokens"] += sum(label != IGNORED_LABEL for label in example.labels)
            row: dict[str, Any] = {"input_ids": example.input_ids, "labels": example.labels}
            if split == "validation":
                row["source"] = record.source
            self._tokens[split].add(**row)
            spans = [{"text": span.text, "trained": span.is_trained} for span in example.spans]
            self._write(split, {**_head(record), "spans": spans})

    def skip(self, record: InstructionRecord, reason: str, explanation: str) -> None:
        """A record that is left out, or that lost some of its turns."""
        self.counts[f"skipped_{reason}"] += 1
        place = {"file": record.file, "position": record.position, "reason": explanation}
        if isinstance(record.found, Broken):
            said: dict[str, Any] = {"record": record.found.text}
        else:
            said = {"messages": record.found.messages("\n\n")}
        self._write("skipped", {**_head(record), **place, **said})

    def _write(self, name: str, record: Mapping[str, Any]) -> None:
        self._readable[name].write(json.dumps(record, ensure_ascii=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, traceback)


def _head(record: InstructionRecord) -> dict[str, Any]:
    found = record.found
    head = {"id": record.id, "source": record.source, "category": ""}
    if isinstance(found, Broken):
        return head
    return head | {"category": found.category} | ({"short_answer": True} if found.short_answer else {})


def pack_examples(path: Path, max_length: int, seed: int) -> int:
    """Rewrite the examples in `path` as rows of up to `max_length` tokens; returns the number of rows."""
    examples = read_tokens(path)
    lengths = pc.list_value_length(examples.data.column("input_ids")).to_pylist()
    with (
        new_file(path) as packed,
        TokenWriter(packed, ["input_ids", "labels", "position_ids"]) as writer,
    ):
        for numbers in fill_bins(lengths, max_length, seed):
            rows = examples[numbers]
            writer.add(
                input_ids=list(chain.from_iterable(rows["input_ids"])),
                labels=list(chain.from_iterable(rows["labels"])),
                position_ids=list(chain.from_iterable(range(lengths[number]) for number in numbers)),
            )
    return writer.rows


def check_splits(counts: Mapping[str, int], settings: InstructionSettings) -> None:
    """Raise UserError unless there is something to train on and something to validate with."""
    found = f"{counts['train']:,} examples to train on, {counts['validation']:,} held out"
    if not counts["train"] and not counts["validation"]:
        raise UserError(f"no instruction is left ({found}); add instructions, or see sft.max_length")
    if not counts["train"]:
        raise UserError(
            f"sft.validation_fraction {settings.validation_fraction:g} holds out every instruction ({found}); "
            "lower it, or add instructions"
        )
    if not counts["validation"]:
        raise UserError(
            f"sft.validation_fraction {settings.validation_fraction:g} holds out no instruction ({found}); "
            "raise it, or add instructions"
        )


def masked(counts: Mapping[str, int]) -> float:
    """Share of the tokens to train on that the loss leaves out."""
    return round(1 - counts["train_trained_tokens"] / max(counts["train_tokens"], 1), 4)


if __name__ == "__main__":
    run(main)
