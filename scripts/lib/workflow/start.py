"""Where a plan starts: settings, inputs and experiments, checked, and the folder of the run."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from lib.core.credentials import with_references
from lib.core.errors import UserError
from lib.core.places import ROOT, as_written
from lib.core.program import shown
from lib.runs.names import run_folder, run_name
from lib.runs.settings_files import read_settings_file
from lib.settings.base import validate
from lib.settings.pipeline import PipelineSettings
from lib.settings.sheets import replay_shares
from lib.sweep.plan import Sweep
from lib.workflow.inputs import Inputs, read_inputs
from lib.workflow.results import keep_manifests, require_replaceable, require_unchanged_results


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
        is_module = not workflow.modifier.is_main_snakefile()
        files = [] if is_module else workflow.overwrite_configfiles
        for path in files:
            read_settings_file(path)  # Snakemake has read it, too, but takes the last of keys that are given twice
        config = with_references(config, "settings")
        settings = validate(PipelineSettings, config)
        name = run_name(settings.run, files)
        # With --directory or as a module, the user has chosen another folder, for the demo as for every other run.
        if name and workflow.overwrite_workdir is None and not is_module:
            _enter(workflow, project, name)
        inputs, sweep = read_inputs(settings), Sweep(settings, config)
        for point in sweep.points.values():
            replay_shares(inputs.corpus, point.settings.pretrain.replay)
        return settings, name, project, inputs, sweep
    except UserError as error:
        _end(error)


def look_at_results(rules: Iterable[Any]) -> None:
    """Look at what earlier runs left here; ends as `start` does when a file was changed since."""
    try:
        require_unchanged_results(rules)
    except UserError as error:
        _end(error)
    keep_manifests()


def look_at_what_is_replaced(jobs: Iterable[Any]) -> None:
    """Look at the folders that `jobs` will replace; ends as `start` does when there are files of the user's in one."""
    try:
        require_replaceable(jobs)
    except UserError as error:
        _end(error)


def _end(error: UserError) -> NoReturn:
    sys.exit(shown(as_written(f"error: {error}")))


def _enter(workflow: Any, project: Path, name: str) -> None:
    workflow.workdir(run_folder(name))
    os.environ[ROOT] = os.path.relpath(project)
    # One set of conda environments for all runs.
    if workflow.deployment_settings.conda_prefix is None:
        workflow.deployment_settings.conda_prefix = project / ".snakemake" / "conda"
