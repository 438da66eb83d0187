"""Where a plan starts: settings, inputs and experiments, checked, and the folder of the run."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib.core.errors import UserError
from lib.core.places import ROOT, as_written
from lib.runs.names import run_folder, run_name
from lib.runs.settings_files import read_settings_file
from lib.settings.base import validate
from lib.settings.pipeline import PipelineSettings
from lib.settings.sheets import replay_shares
from lib.sweep.plan import Sweep
from lib.workflow.inputs import Inputs, read_inputs


def start(workflow: Any, config: Mapping[str, Any]) -> tuple[PipelineSettings, str, Path, Inputs, Sweep]:
    """Settings, the run's name (empty for the demo), the project's folder, the inputs and the sweep.

    From here on `workflow` works in the folder of a named run. Ends with one line on stderr and status 1 when settings
    or sheets are wrong.
    """
    project = Path.cwd()
    os.environ.pop(ROOT, None)
    try:
        if {"{", "}"} & set(str(workflow.basedir)):
            raise UserError(
                f"{workflow.basedir}: Snakemake takes braces in the path of its rules for wildcards; "
                "move the project to a folder whose path has none"
            )
        for path in workflow.overwrite_configfiles:
            read_settings_file(path)  # Snakemake has read it, too, but takes the last of keys that are given twice
        settings = validate(PipelineSettings, config)
        name = run_name(settings.run, workflow.overwrite_configfiles)
        # With --directory, the user has chosen another folder, for the demo as for every other run.
        if name and workflow.overwrite_workdir is None:
            _enter(workflow, project, name)
        inputs, sweep = read_inputs(settings), Sweep(settings, config)
        for point in sweep.points.values():
            replay_shares(inputs.corpus, point.settings.pretrain.replay)
        return settings, name, project, inputs, sweep
    except UserError as error:
        sys.exit(as_written(f"error: {error}"))


def _enter(workflow: Any, project: Path, name: str) -> None:
    workflow.workdir(run_folder(name))
    os.environ[ROOT] = os.path.relpath(project)
    # One set of conda environments for all runs.
    if workflow.deployment_settings.conda_prefix is None:
        workflow.deployment_settings.conda_prefix = project / ".snakemake" / "conda"
