"""Settings, sheets and what follows from them for every rule: the only Python beside the rules."""

import gc
import os
import sys
from pathlib import Path

sys.path.insert(0, f"{workflow.basedir}/scripts")

from lib.core.errors import UserError
from lib.core.places import ROOT, as_written
from lib.runs.names import run_folder, run_name
from lib.runs.settings_files import read_settings_file
from lib.runs.sharing import take_over
from lib.settings.base import to_json, validate
from lib.settings.pipeline import PipelineSettings
from lib.workflow.inputs import read_inputs
from lib.workflow.rules import doubling, json_rows, name_logs, program, training_resources, training_settings
from lib.workflow.stages import evaluated, finished, manifests, start_of_stage_2

# Planning makes objects by the million, and nearly all stay: the search for those that may go is put off.
gc.set_threshold(1_000_000)

# Without conda, a rule's `python` is the one that runs Snakemake, whether or not its environment is activated.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))

# A thread that waits for another spins only briefly. With 50,000 spins, fewer than by default, a training step takes
# seven times as long when one other process is busy on two cores, instead of 2.4 times.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

# A job's libraries take as many threads as its rule asks for. Snakemake tells most of them, not these two.
shell.prefix("set -euo pipefail; export POLARS_MAX_THREADS=$OMP_NUM_THREADS RAYON_NUM_THREADS=$OMP_NUM_THREADS; ")

try:
    for path in workflow.overwrite_configfiles:
        read_settings_file(path)  # Snakemake has read it, too, but takes the last of keys that are given twice
    SETTINGS = validate(PipelineSettings, config)
    RUN = run_name(SETTINGS.run, workflow.overwrite_configfiles)
except UserError as error:
    sys.exit(f"error: {error}")

PROJECT = Path.cwd()
os.environ.pop(ROOT, None)
# With --directory, the user has chosen another folder, for the demo as for every other run.
if RUN and workflow.overwrite_workdir is None:
    workflow.workdir(run_folder(RUN))
    os.environ[ROOT] = os.path.relpath(PROJECT)
    # One set of conda environments for all runs.
    if workflow.deployment_settings.conda_prefix is None:
        workflow.deployment_settings.conda_prefix = PROJECT / ".snakemake" / "conda"

try:
    INPUTS = read_inputs(SETTINGS)
except UserError as error:
    sys.exit(as_written(f"error: {error}"))

CORPUS_SOURCES, INSTRUCTION_SOURCES = INPUTS.corpus, INPUTS.instructions

# Manifests by folder of results/; what this run does not make has none.
MADE = manifests(SETTINGS)
SFT_MODEL, SFT_ADAPTER = start_of_stage_2(SETTINGS)
TOKENIZER = MADE["tokenizer"] or MADE["pretrain_model"]

SHARDS = [f"{shard:04d}" for shard in range(SETTINGS.corpus.shards)]

# Scoring and short fits run as one process.
ONE_GPU = min(SETTINGS.gpu, 1)

TRAINING = training_resources(SETTINGS)
