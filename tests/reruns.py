"""What a change of each settings key and of each column of the sheets runs again: the table of docs/reruns.md.

    PYTHONPATH=scripts:tests python tests/reruns.py

A run in which every rule has a job is taken for finished, one value after another is changed, and Snakemake plans.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from snakemake.jobs import Reason

from lib.core.outputs import sha256_file
from lib.settings.corpus import SourceSettings
from lib.settings.pipeline import PipelineSettings
from lib.settings.sheets import Source
from plans import RUN, SETTINGS_OF_ALL, SWEEP, job_graph, write_named_files
from workspace import PROJECT, make_workspace

DOCUMENT = PROJECT / "docs" / "reruns.md"
OFF = {"enabled": False}
TRAININGS = {"pretrain": "stage 1", "sft": "stage 2", "sweep_pretrain": "points of the sweep"}
HEAD = """\
# What a change runs again

Written by `tests/reruns.py` (`make docs`) from the plans of a finished run in which every rule has a job; a test holds
every row against Snakemake's plan. A rule that runs again takes along all rules after it, listed first. `report`, which
shows all settings, is written again after every change and left out below, unless nothing else is.

- What lies at the address of a model, a tokenizer, text or instructions counts, not the address: of local files up to
  1 GB their names and checksums, of a remote file the `sha256` that is given, or else the address itself. Cards and
  report name the new address, manifests the one from which it was fetched.
- Other files that a key or a cell names count by their content, too, but another path to them is another value.
- A changed cell concerns its own source only: `fetch` and `clean` of the other sources stay as they are, and those
  above it in the sheet keep their finished shards, too (with `corpus.decontaminate`, these are checked again).
- `run` names a folder: another name is another run, which takes over whatever is the same in both.
- Changed code counts like a changed setting, for the rules whose programs use it; comments and formatting do not.
- A training that was stopped goes on from its checkpoints unless what shapes its weights is changed; the values that do
  not are those below at which nothing but the report runs.
- A program that runs again with the same outcome still takes along the rules after it, in the same command. To see
  first whether it changes anything, make its own output alone: `snakemake --cores all results/corpus/manifest.json`.
  What has the same content as before makes nothing after it run.

"""
SAME = "The same from elsewhere"
COLLECTING = ("all", "model", "export")
FOR_INSTRUCTIONS = ("layout", "columns")
FOR_TEXT = ("text_field", "max_characters", "parts", "replay")

# A run whose other training has no adapter.
ONLY_SFT = {"sweep": None, "export.formats": ["gguf-q8_0", "safetensors-bf16", "adapter-sft"]}
ONLY_PRETRAIN = {"sweep": None, "export.formats": ["gguf-q8_0", "safetensors-bf16", "adapter-pretrain"]}
# What a key is changed to where that does not follow from its type, with what has to change with it.
OTHERS: dict[str, dict[str, Any]] = {
    "run": {"run": "other"},
    "gpu": {"gpu": 2},
    "processes": {"processes": 3},
    "base_model.uri": {"base_model.uri": "https://host/model.gguf"},
    "base_model.sha256": {"base_model.uri": "https://host/model.gguf", "base_model.sha256": "0" * 64},
    "base_model.document_start": {"base_model.document_start": "none"},
    "base_model.document_end": {"base_model.document_end": "none"},
    "corpus.benchmarks": {"corpus.benchmarks": ["data/stories.jsonl"]},
    "corpus.good_examples": {"corpus.good_examples": ["data/control.txt"]},
    "corpus.bad_examples": {"corpus.bad_examples": ["data/control.txt"]},
    "corpus.custom_rules": {"corpus.custom_rules": "data/other_rules.py"},
    "corpus.blocked_words": {"corpus.blocked_words": "data/other_words.txt"},
    "corpus.languages": {"corpus.languages": ["zh", "en"]},
    "corpus.sources": {"corpus.sources": "config/other_corpus.tsv"},
    "corpus.enabled": {"corpus": OFF, "pretrain": OFF, "tokenizer.new_tokens": 0, **ONLY_SFT},
    "tokenizer.uri": {"tokenizer.uri": "data/other_model"},
    "tokenizer.words": {"tokenizer.words": "data/other_words.txt"},
    "tokenizer.new_tokens": {"tokenizer.new_tokens": 31},
    "pretrain.uri": {"pretrain.uri": "data/other_model", **ONLY_SFT},
    "pretrain.enabled": {"pretrain": OFF, **ONLY_SFT},
    "pretrain.method": {"pretrain.method": "full", **ONLY_SFT},
    "sft.method": {"sft.method": "full", **ONLY_PRETRAIN},
    "pretrain.replay": {"pretrain.replay": {"letters": 0.1}},
    "pretrain.target_modules": {"pretrain.target_modules": ["q_proj"]},
    "sft.target_modules": {"sft.target_modules": ["q_proj"]},
    "sft.template": {"sft.template": "data/other_chat.jinja"},
    "sft.control_tokens": {"sft.control_tokens": ["<|tool|>"]},
    "sft.date": {"sft.date": "2026-01-01"},
    "sft.sources": {"sft.sources": "config/other_instructions.tsv"},
    "sft.enabled": {"sft": OFF, **ONLY_PRETRAIN},
    "evaluation.multiple_choice": {"evaluation.multiple_choice": "data/other_questions.csv"},
    "evaluation.prompts": {"evaluation.prompts": ["谁住在海边？"]},
    "evaluation.control": {"evaluation.control": "data/letters.jsonl"},
    "evaluation.lm_eval": {"evaluation.lm_eval": ["piqa"]},
    "evaluation.lm_eval_tasks": {"evaluation.lm_eval_tasks": "data/other_tasks"},
    "evaluation.require": {"evaluation.require": {"text_bits_per_character": {"maximum": 7}}},
    "export.formats": {"export.formats": ["gguf-q8_0", "gguf-f16"]},
    "export.max_shard_size": {"export.max_shard_size": "1GB"},
    "sweep.settings": {"sweep.settings": {"pretrain.learning_rate": [0.01, 0.03]}},
    "sweep.points": {"sweep.settings": None, "sweep.points": [{"pretrain.learning_rate": 0.05}]},
    "sweep.kept": {"sweep.rungs": 2, "sweep.kept": 0.4},
    "sweep.minutes": {"sweep.minutes": 3},
}
CELLS: dict[str, str] = {
    "name": "others",
    "uri": "data/questions.csv",
    "sha256": "0" * 64,
    "format": "csv",
    "encoding": "gbk",
    "layout": "alpaca",
    "columns": "instruction=question",
    "text_field": "body",
    "license": "CC0-1.0",
    "weight": "2",
    "max_characters": "1000",
    "parts": "2",
    "replay": "0.1",
    "languages": "zh",
    "custom_rules": "data/other_rules.py",
    "blocked_words": "data/other_words.txt",
}
"""What a cell of the last row is changed to."""
MOVED = {
    "`base_model.uri`": "data/other_model",
    "`uri` in `corpus.tsv`": "data/other_letters.jsonl",
    "`sha256` in `corpus.tsv`": "data/letters.jsonl",
    "`uri` in `instructions.tsv`": "data/other_instructions.jsonl",
    "`sha256` in `instructions.tsv`": "data/instructions.jsonl",
}
"""For keys and cells, where the same lies, or the file whose checksum is filled in."""


@dataclass(frozen=True)
class Planned:
    """The jobs of a plan, as names of rules."""

    rules: frozenset[str]
    first: frozenset[str]
    """Those with a job that runs for a reason of its own, not only because something before it does."""


class Plans:
    """The plans of a finished run, made in this process. `folder` is an empty one."""

    def __init__(self, folder: Path) -> None:
        self.workspace = make_workspace(folder / "project")
        write_named_files(self.workspace)
        for output in self._outputs():
            path = self.workspace.root / output
            file = path if path.suffix else path / "manifest.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("{}", encoding="utf-8")
        self.workspace.make("--touch", "--forceall", "--no-hooks", *RUN, SWEEP)
        assert self.planned({}) == Planned(frozenset(), frozenset())

    def _outputs(self) -> Iterator[str]:
        with job_graph(self.workspace, SETTINGS_OF_ALL, *RUN, SWEEP) as dag:
            yield from [str(output) for job in dag.jobs for output in job.output]

    def planned(self, changes: Mapping[str, Any], *targets: str) -> Planned:
        """What is planned again for `targets`, RUN when none are given, when keys have other values."""
        with job_graph(self.workspace, changed(SETTINGS_OF_ALL, changes), *(targets or RUN)) as dag:
            jobs = [job for job in dag.needrun_jobs() if job.rule.name not in COLLECTING]
            first = [job.rule.name for job in jobs if not _follows(dag.reason(job))]
            return Planned(frozenset(job.rule.name for job in jobs), frozenset(first))

    def after_cell(self, sheet: str, column: str, value: str = "") -> Planned:
        """What is planned again when a cell in the last row of a sheet is changed, or gets its first value.

        Without a `value` it is one of CELLS.
        """
        path = self.workspace.root / "config" / f"{sheet}.tsv"
        text = path.read_text(encoding="utf-8")
        header, *rows = [line.split("\t") for line in text.splitlines()]
        if column not in header:
            header.append(column)
            rows = [[*row, ""] for row in rows]
        rows[-1][header.index(column)] = (
            value or CELLS.get(column) or str(other_values(f"corpus.{column}")[f"corpus.{column}"]).lower()
        )
        try:
            path.write_text("".join("\t".join(row) + "\n" for row in [header, *rows]), encoding="utf-8")
            return self.planned({})
        finally:
            path.write_text(text, encoding="utf-8")

    def after_move(self, what: str) -> Planned:
        """What is planned again when one of MOVED names the same in another place, or its checksum."""
        column, _, sheet = what.replace("`", "").partition(" in ")
        if not sheet:
            return self.planned({column: MOVED[what]})
        value = sha256_file(self.workspace.root / MOVED[what]) if column == "sha256" else MOVED[what]
        return self.after_cell(sheet.removesuffix(".tsv"), column, value)

    def after_key(self, key: str) -> Planned:
        """What is planned again when a key has another value."""
        return self.planned(other_values(key), *([SWEEP] if key.startswith("sweep.") else []))


def _follows(reason: Reason) -> bool:
    return str(reason).startswith("Input files updated by another job")


def changed(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` with other values by dotted key; None takes a key, or a section, out."""
    result = {key: dict(value) if isinstance(value, Mapping) else value for key, value in settings.items()}
    for key, value in changes.items():
        section, _, name = key.rpartition(".")
        place = result.setdefault(section, {}) if section else result
        place[name] = value
        if value is None:
            del place[name]
    return result


def keys(model: type[BaseModel] = PipelineSettings, prefix: str = "") -> dict[str, FieldInfo]:
    """Every setting by dotted key, but for the name of the run, with which nothing is planned again."""
    found: dict[str, FieldInfo] = {}
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            found |= keys(info.annotation, f"{prefix}{name}.")
        elif name != "run":
            found[prefix + name] = info
    return found


def columns() -> dict[str, list[str]]:
    """Columns of each sheet."""
    common = [column for column in Source.__dataclass_fields__ if column != "settings"]
    for_text = [*(column for column in common if column not in FOR_INSTRUCTIONS), *SourceSettings.model_fields]
    return {"corpus": for_text, "instructions": [column for column in common if column not in FOR_TEXT]}


def other_values(key: str) -> dict[str, Any]:
    """Another value of a key, with what has to change with it, by dotted key."""
    if key in OTHERS:
        return OTHERS[key]
    info = keys()[key]
    section, _, name = key.rpartition(".")
    given = SETTINGS_OF_ALL
    value = (given.get(section, {}) if section else given).get(name, info.get_default(call_default_factory=True))
    kind = info.annotation
    options = [option for option in get_args(kind) if option is not type(None)]
    if get_origin(kind) is Literal:
        return {key: next(option for option in options if option != value)}
    if get_origin(kind) is UnionType or get_origin(kind) is Union:
        kind = options[0]
    if get_origin(kind) is list:
        return {key: [get_args(get_args(kind)[0])[0]]}
    if kind is bool:
        return {key: not value}
    if kind is str:
        return {key: f"{value or ''}x"}
    if kind is int:
        return {key: (value or 0) + 1}
    return {key: value / 2 if value else 0.5}


def document(
    by_key: Mapping[str, Planned], by_cell: Mapping[tuple[str, str], Planned], by_move: Mapping[str, Planned]
) -> str:
    """Text of docs/reruns.md."""
    follows: dict[str, set[str]] = {}
    for planned in (*by_key.values(), *by_cell.values()):
        if len(planned.first) == 1:
            (first,) = planned.first
            follows.setdefault(first, set()).update(planned.rules - planned.first)
    sections = dict.fromkeys(key.rpartition(".")[0] for key in by_key)
    tables = [
        (
            f"`{section}`" if section else "Top level",
            "key",
            {k.rpartition(".")[2]: v for k, v in by_key.items() if k.rpartition(".")[0] == section},
        )
        for section in sections
    ]
    tables += [
        (f"Columns of `{sheet}.tsv`", "column", {column: v for (name, column), v in by_cell.items() if name == sheet})
        for sheet in dict.fromkeys(sheet for sheet, _ in by_cell)
    ]
    text = [HEAD, "## What follows from each rule\n\n| rule | rules after it |\n| --- | --- |\n"]
    text += [f"| `{rule}` | {_names(after)} |\n" for rule, after in sorted(follows.items()) if after]
    for title, kind, rows in tables:
        text.append(f"\n## {title}\n\n| {kind} | runs again from | trains |\n| --- | --- | --- |\n")
        text += [f"{row(f'`{name}`', planned)}\n" for name, planned in rows.items()]
    text.append(f"\n## {SAME}\n\n| another address, or a checksum | runs again from | trains |\n| --- | --- | --- |\n")
    text += [f"{row(what, planned)}\n" for what, planned in by_move.items()]
    return "".join(text)


def row(name: str, planned: Planned) -> str:
    """A line of the table: what a change runs again."""
    first = _names(planned.first - {"report"} or planned.first) or "nothing"
    return f"| {name} | {first} | {_trains(planned)} |"


def _names(rules: Iterable[str]) -> str:
    return ", ".join(f"`{rule}`" for rule in sorted(rules))


def _trains(planned: Planned) -> str:
    return " and ".join(stage for rule, stage in TRAININGS.items() if rule in planned.rules) or "–"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        plans = Plans(Path(folder))
        found = document(
            {key: plans.after_key(key) for key in keys()},
            {
                (sheet, column): plans.after_cell(sheet, column)
                for sheet, names in columns().items()
                for column in names
            },
            {what: plans.after_move(what) for what in MOVED},
        )
    DOCUMENT.write_text(found, encoding="utf-8")
