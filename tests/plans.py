"""Snakemake's plans, made in this process: 0.1 s each instead of 3 s for a process of their own."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from snakemake.api import SnakemakeApi
from snakemake.dag import DAG
from snakemake.parser import parse
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    ExecutionSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
    SchedulingSettings,
)

from workspace import SETTINGS, Workspace

RUN = ("all", "export")
SWEEP = "results/sweep/best.yaml"
SETTINGS_OF_ALL: dict[str, Any] = SETTINGS | {
    "processes": 2,
    "corpus": SETTINGS["corpus"]
    | {
        "shards": 1,
        "decontaminate": True,
        "benchmarks": ["data/letters.jsonl"],
        "good_examples": ["data/stories.jsonl"],
        "bad_examples": ["data/letters.jsonl"],
        "custom_rules": "data/rules.py",
        "blocked_words": "data/words.txt",
    },
    "tokenizer": SETTINGS["tokenizer"] | {"words": "data/words.txt"},
    "sft": {key: value for key, value in SETTINGS["sft"].items() if key != "rank"} | {"template": "data/chat.jinja"},
    "evaluation": SETTINGS["evaluation"]
    | {
        "multiple_choice": "data/questions.csv",
        "lm_eval": ["arc_easy"],
        "lm_eval_tasks": "data/tasks",
        "require": {"text_bits_per_character": {"maximum": 8}},
    },
    "export": {"formats": ["gguf-q8_0", "safetensors-bf16", "adapter-pretrain", "adapter-sft"]},
    "sweep": {"settings": {"pretrain.learning_rate": [0.01, 0.02]}},
}
"""Settings with which every rule has a job."""
FILES = ("rules.py", "words.txt", "chat.jinja", "questions.csv", "tasks/one.yaml")
"""Their files, each with another one named `other_` beside it."""


def write_named_files(workspace: Workspace) -> None:
    """Write the files that SETTINGS_OF_ALL names, and another one for each, as for model, sheets and last source."""
    data, config = workspace.root / "data", workspace.root / "config"
    for number, name in enumerate((*FILES, *map(_other, FILES))):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_text(f"{number}\n", encoding="utf-8")
    for name in ("letters.jsonl", "instructions.jsonl", "model"):
        (data / _other(name)).symlink_to(name)
    for name in ("corpus", "instructions"):
        (config / f"other_{name}.tsv").write_bytes((config / f"{name}.tsv").read_bytes())


def _other(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"other_{folder}/{file}" if folder else f"other_{file}"


_parsed: dict[tuple[str, int], tuple[str, int]] = {}


def _parse(path: Any, workflow: Any, linemap: dict[int, int], rulecount: int = 0) -> tuple[str, int]:
    """As Snakemake parses a file, which takes a third of the time of a plan, but once only."""
    key = path.get_path_or_uri(secret_free=True), rulecount
    if key not in _parsed:
        _parsed[key] = parse(path, workflow, linemap, rulecount=rulecount)
    return _parsed[key]


@contextmanager
def job_graph(workspace: Workspace, settings: Mapping[str, Any], *targets: str) -> Iterator[DAG]:
    """Snakemake's graph of the jobs for `targets`, with those settings, and what the profile says about planning."""
    path = workspace.root / "config" / "demo.yaml"
    path.write_text(yaml.safe_dump(dict(settings), allow_unicode=True), encoding="utf-8")
    before = Path.cwd()
    os.chdir(workspace.root)
    try:
        with (
            patch("snakemake.workflow.parse", _parse),
            SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api,
        ):
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=2),
                config_settings=ConfigSettings(),
                snakefile=Path("Snakefile"),
            )._workflow
            workflow.dag_settings = DAGSettings(targets=set(targets), max_checksum_file_size=10**12)
            workflow.scheduling_settings = SchedulingSettings()
            workflow.execution_settings = ExecutionSettings(lock=False)
            workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True, nolock=True)
            workflow._build_dag()
            yield workflow.dag
    finally:
        os.chdir(before)
