"""What a rule would otherwise repeat: its program and how that is called, its log, its resources.

A rule whose command is PROGRAM calls the program that its parameters name. Every named input, output and parameter is
an option: `input: corpus=...` reaches the program as `--corpus ...`. An input without a name is only watched.
"""

import inspect
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lib.core.fingerprint import code_fingerprint
from lib.core.places import PARENT
from lib.settings.base import to_json
from lib.settings.pipeline import ClusterSettings
from lib.settings.training import WITHOUT_EFFECT, ProcessSettings, TrainingSettings
from lib.workflow.attempts import ask_for_more
from lib.workflow.embedding import NOT_EMBEDDED, Embedded
from lib.workflow.memory import to_train

SCRIPTS = Path(__file__).resolve().parents[2]

PROGRAM = "python {params.command:q} 2>&1 | tee -i {log:q}"
"""The shell command of every rule that calls a program, but for what a module adds to it."""

PREFIX = (
    "set -euo pipefail; trap : TERM; tee() {{ trap '' TERM; command tee \"$@\"; }}; "
    f"export POLARS_MAX_THREADS=$OMP_NUM_THREADS RAYON_NUM_THREADS=$OMP_NUM_THREADS {PARENT}=$PPID@$HOSTNAME; "
)
"""What precedes every shell command, braces doubled as Snakemake wants them.

SLURM sends SIGTERM to all processes of a job, which ends with its shell. The shell and `tee` outlive it, so that a
training can save. Libraries take as many threads as the rule asks for; Snakemake tells most of them, not these two.
"""

MAX_COMMAND = 120_000
"""Maximum bytes of a command. Snakemake gives it to the shell as one word, and Linux allows a word 131,071."""

NO_OPTIONS = ("code", "watched", "unnamed")
"""Parameters that no program gets. When one changes, Snakemake runs the rule again; `unnamed` stands for files of odd
names."""


def program(name: str, *wildcards: str) -> dict[str, Any]:
    """Parameters of a rule: the program of that `name`, which gets the values of `wildcards` as options.

    `code` is the program's fingerprint. Snakemake compares parameters with those of the last run, so a change of what a
    program does, and nothing else about it, re-runs its rules.
    """
    path = SCRIPTS / f"{name}.py"
    values = {wildcard: lambda wildcards, name=wildcard: wildcards[name] for wildcard in wildcards}
    return {"code": code_fingerprint(path), "command": [path], **values}


def program_of_point(name: str) -> dict[str, Any]:
    """Parameters of a rule of a sweep, in place of those of `program`: a point that fails is a result, too."""
    runner = SCRIPTS / "sweep_job.py"
    return {"command": [runner, SCRIPTS / f"{name}.py"], "watched": code_fingerprint(runner)}


def complete(workflow: Any, cluster: ClusterSettings, embedded: Embedded = NOT_EMBEDDED) -> None:
    """Complete the rules of `workflow`, once all are defined: log, benchmark and resources of each, and its command.

    Rule `clean` writes logs/clean/{source}/{shard}.log. Parameters reach programs as they are, whatever they hold:
    Snakemake fills in wildcards in the text of a parameter, but not in what a function returns. It compares the values
    of all parameters with those of the last run as a set, without their names, and would not see `nodes` become 2 where
    `processes` is 2 already: so each value that it is given begins with its name.
    """
    for rule in workflow.rules:
        # Others are those of a workflow that uses this one as a module.
        if not rule.shellcmd or rule not in workflow.modifier.rules:
            continue
        ask_for_more(rule, cluster, workflow.resource_settings.overwrite_resources.get(rule.name, {}))
        wildcards = dict.fromkeys(re.findall(r"{([a-z]\w*)", rule.output[0]))
        name = "/".join([embedded.own_name(rule.name), *(f"{{{wildcard}}}" for wildcard in wildcards)])
        # What Snakemake itself sets for a rule that names these files.
        rule.log_modifier = rule.benchmark_modifier = rule.output_modifier
        rule.set_log(f"logs/{name}.log")
        rule.benchmark = f"benchmarks/{name}.tsv"
        params = {
            name: value if callable(value) else lambda wildcards, value=value: value
            for name, value in rule.params.items()
        }
        if rule.shellcmd == embedded.command(PROGRAM):
            command = _command(params.pop("command")(None), params, embedded)
            params = {name: _with_name(name, value) for name, value in params.items() if not _wanted(value)}
            params["command"] = command
        rule.params.clear()
        rule.set_params(**params)


def _command(
    programs: list[Path], values: dict[str, Callable[..., Any]], embedded: Embedded
) -> Callable[..., list[str]]:
    """The parameter with the program, or one that runs another, and its options: `values`, a rule's parameters, and its
    named files."""
    options = {name: (value, _wanted(value)) for name, value in values.items() if name not in NO_OPTIONS}

    def command(wildcards: Any, input: Any, output: Any, resources: Any) -> list[str]:
        known = {"input": input, "output": output, "resources": resources}
        given = {name: embedded.inside(value) for name, value in input.items()}
        for name, (value, wanted) in options.items():
            given[name] = value(wildcards, **{key: known[key] for key in wanted})
        given |= {name: embedded.inside(value) for name, value in output.items()}
        words = (word for name, value in given.items() for word in _option(name, value))
        return _check_length([*map(str, programs), *words])

    return command


def _wanted(value: Callable[..., Any]) -> set[str]:
    """What a parameter is computed from beside wildcards. Snakemake does not watch one that needs any of it."""
    return inspect.signature(value).parameters.keys() & {"input", "output", "resources"}


def _with_name(name: str, value: Callable[..., Any]) -> Callable[..., str]:
    return lambda wildcards: f"{name}: {value(wildcards)}"


def _check_length(words: list[str]) -> list[str]:
    """The words; ends with one line when they are more than Linux gives a program."""
    if sum(map(len, words)) < MAX_COMMAND // 5:  # a character takes at most five bytes, that of a quotation mark
        return words
    lengths = [len(shlex.quote(word).encode()) + 1 for word in words]
    if sum(lengths) > MAX_COMMAND:
        longest = words[lengths.index(max(lengths))]
        sys.exit(
            f"error: the command of {Path(words[0]).name} is longer than {MAX_COMMAND:,} bytes, more than Linux takes; "
            f"most is {longest[:60]!r}…; give long lists in the settings as files, as evaluation.prompts can be"
        )
    return words


def _option(name: str, value: Any) -> list[str]:
    """`value` as the option `name`; nothing for None and for an empty list."""
    option = f"--{name.replace('_', '-')}"
    words = [str(word) for word in value] if isinstance(value, list | tuple) else [str(value)]
    if value is None or not words:
        return []
    # A text that begins with a dash would be taken for an option of its own.
    dashed = next((word for word in words if word.startswith("-")), None)
    if dashed and len(words) > 1:
        sys.exit(
            f"error: {dashed!r} begins with a dash, and so cannot be one of several values; write a path as ./-name"
        )
    return [f"{option}={dashed}"] if dashed else [option, *words]


def json_rows(rows: Iterable[object], *columns: str) -> str:
    """Rows of a sheet as a program takes them: a JSON list with the columns that it uses."""
    return json.dumps([{column: getattr(row, column) for column in columns} for row in rows], ensure_ascii=False)


def half_of_the_cores(maximum: int) -> int:
    """Threads of a job of which two run side by side: half of this machine's cores, 1 to `maximum`."""
    return max(1, min(maximum, len(os.sched_getaffinity(0)) // 2))


def training_settings(settings: TrainingSettings) -> dict[str, Any]:
    """Parameters with a training stage's `settings` as its program takes them.

    When to log, to save and to stop in good order changes no result, so a stage that is finished is not trained again
    for it: Snakemake does not watch a parameter that is computed from the output, and `watched` has the rest.
    """
    watched = settings.model_dump(mode="json", exclude=set(WITHOUT_EFFECT))
    return {
        "settings": lambda wildcards, output: to_json(settings),
        "watched": json.dumps(watched, ensure_ascii=False, sort_keys=True),
    }


def training_resources(
    settings: ProcessSettings, stage: TrainingSettings, length: int, cluster: ClusterSettings
) -> dict[str, Any]:
    """What a training `stage` on sequences of `length` tokens asks of SLURM, all nodes together.

    On each node one task starts the processes; on several, the program starts these tasks by itself, which `mpi` says.
    Without GPUs a task is what processors are counted by.
    """
    several = {"mpi": "srun", "tasks": settings.nodes, "tasks_per_gpu": 0}
    return {
        "gpu": settings.gpu * settings.nodes,
        "nodes": settings.nodes,
        "mem_mb": to_train(stage, length, settings.gpu, settings.processes_per_node, settings.nodes),
        "runtime": cluster.max_minutes,
        **(several if settings.nodes > 1 else {"tasks": 0 if settings.gpu else 1}),
    }


def remove_timestamp(directory: Path) -> None:
    """Take out of a finished directory the file in which Snakemake notes when it was made; users copy the directory.

    Without it Snakemake goes by the time of the directory itself, which is set to the same.
    """
    timestamp = directory / ".snakemake_timestamp"
    if timestamp.is_file():
        made = timestamp.stat().st_mtime_ns
        timestamp.unlink()
        os.utime(directory, ns=(made, made))
