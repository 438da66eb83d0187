"""What a rule would otherwise repeat: its program with the fingerprint of it, its log, its resources."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lib.core.fingerprint import code_fingerprint
from lib.settings.base import json_parameter, to_json
from lib.settings.processes import ProcessSettings
from lib.settings.training import WITHOUT_EFFECT, TrainingSettings

SCRIPTS = Path(__file__).resolve().parents[2]


def program(name: str) -> dict[str, Any]:
    """Parameters of every rule: the `program` of that name, and the fingerprint of its `code`.

    Snakemake compares parameters with those of the last run, so a change of what a program does, and nothing else about
    it, re-runs its rules.
    """
    path = SCRIPTS / f"{name}.py"
    return {"program": path, "code": code_fingerprint(path)}


def name_logs(rules: Iterable[Any]) -> None:
    """Name the log and the benchmark of every rule that has a shell command after the rule and its wildcards.

    Rule `clean` writes logs/clean/{source}/{shard}.log. `rules` are `workflow.rules`, once all are defined.
    """
    for rule in rules:
        if rule.shellcmd:
            wildcards = dict.fromkeys(re.findall(r"{([a-z]\w*)", rule.output[0]))
            name = "/".join([rule.name, *(f"{{{wildcard}}}" for wildcard in wildcards)])
            # What Snakemake itself sets for a rule that names these files.
            rule.log_modifier = rule.benchmark_modifier = rule.output_modifier
            rule.set_log(f"logs/{name}.log")
            rule.benchmark = f"benchmarks/{name}.tsv"


def json_rows(rows: Iterable[object], *columns: str) -> str:
    """Rows of a sheet as a program takes them: a JSON list with the columns that it uses."""
    return json_parameter([{column: getattr(row, column) for column in columns} for row in rows])


def doubling(amount: int) -> Callable[..., int]:
    """A resource (minutes, megabytes) of which every attempt asks for twice as much."""
    return lambda wildcards, attempt: amount * 2 ** (attempt - 1)


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


def training_resources(settings: ProcessSettings) -> dict[str, Any]:
    """What training asks of SLURM, all nodes together.

    On each node one task starts the processes; on several, the program starts these tasks by itself, which `mpi` says.
    Without GPUs a task is what processors are counted by.
    """
    several = {"mpi": "srun", "tasks": settings.nodes, "tasks_per_gpu": 0}
    return {
        "gpu": settings.gpu * settings.nodes,
        "nodes": settings.nodes,
        "mem_mb": doubling(8000 * settings.processes_per_node),
        "runtime": doubling(720),
        **(several if settings.nodes > 1 else {"tasks": 0 if settings.gpu else 1}),
    }
