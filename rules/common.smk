"""Settings, sheets and code fingerprints: the only Python beside the rules."""

import gc
import os
import sys
from pathlib import Path

sys.path.insert(0, f"{workflow.basedir}/scripts")

from lib.base_model.families import check_local
from lib.chat.known_templates import is_file
from lib.core.errors import UserError, about
from lib.core.places import ROOT, as_written, local_path
from lib.files import formats
from lib.runs.names import run_folder, run_name
from lib.runs.settings_files import read_settings_file
from lib.runs.sharing import take_over
from lib.settings.base import to_json, validate
from lib.settings.corpus import SourceSettings
from lib.settings.pipeline import PipelineSettings
from lib.settings.sheets import read_sheet, replay_shares
from lib.sources.addresses import MODEL_FILES, local_files
from lib.sources.listing import local_source_files
from lib.workflow.rules import doubling, json_rows, name_logs, program
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
    CORPUS_SOURCES, INSTRUCTION_SOURCES = {}, {}
    if SETTINGS.corpus.enabled:
        CORPUS_SOURCES = read_sheet(local_path(SETTINGS.corpus.sources), SourceSettings, formats.ALL)
    if SETTINGS.sft.enabled:
        INSTRUCTION_SOURCES = read_sheet(local_path(SETTINGS.sft.sources), formats=formats.RECORDS)
    # What each rule must watch when its address is a local one; a remote address is no file to wait for.
    with about("settings: base_model.uri"):
        BASE_MODEL_FILES = local_files(SETTINGS.base_model.uri, MODEL_FILES)
        check_local(local_path(SETTINGS.base_model.uri))
    with about("settings: evaluation.control"):
        CONTROL_FILES = local_source_files(SETTINGS.evaluation.control) if SETTINGS.evaluation.control else []
    with about("settings: evaluation.prompts"):
        PROMPTS = SETTINGS.evaluation.prompts
        PROMPT_FILES = local_source_files(PROMPTS) if isinstance(PROMPTS, str) else []
    with about("settings: pretrain.uri"):
        STAGE_1_FILES = local_files(SETTINGS.pretrain.uri, MODEL_FILES) if SETTINGS.pretrain.uri else []
    with about("settings: tokenizer.uri"):
        TOKENIZER_FILES = local_files(SETTINGS.tokenizer.uri, MODEL_FILES) if SETTINGS.tokenizer.uri else []
    with about("settings: tokenizer.words"):
        WORD_FILES = local_files(SETTINGS.tokenizer.words) if SETTINGS.tokenizer.words else []
    with about("settings: sft.template"):
        TEMPLATE_FILES = local_files(SETTINGS.sft.template) if is_file(SETTINGS.sft.template) else []
    with about(SETTINGS.corpus.sources):
        CORPUS_FILES = {name: local_source_files(row.uri) for name, row in CORPUS_SOURCES.items()}
    with about(SETTINGS.sft.sources):
        INSTRUCTION_FILES = [path for row in INSTRUCTION_SOURCES.values() for path in local_source_files(row.uri)]
    with about(SETTINGS.corpus.sources):
        REPLAY = replay_shares(CORPUS_SOURCES)
    with about("settings: corpus.benchmarks"):
        BENCHMARK_FILES = [path for pattern in SETTINGS.corpus.benchmarks for path in local_source_files(pattern)]
except UserError as error:
    sys.exit(as_written(f"error: {error}"))

# Manifests by folder of results/; what this run does not make has none.
MADE = manifests(SETTINGS)
SFT_MODEL, SFT_ADAPTER = start_of_stage_2(SETTINGS)
TOKENIZER = MADE["tokenizer"] or MADE["pretrain_model"]

SHARDS = [f"{shard:04d}" for shard in range(SETTINGS.corpus.shards)]

# Scoring and short fits run as one process.
ONE_GPU = min(SETTINGS.gpu, 1)

# What training asks of SLURM, all nodes together. On each node one task starts the processes; on several, the program
# starts these tasks by itself, which `mpi` says. Without GPUs a task is what processors are counted by.
TRAINING = {
    "gpu": SETTINGS.gpu * SETTINGS.nodes,
    "nodes": SETTINGS.nodes,
    "mem_mb": doubling(8000 * SETTINGS.processes_per_node),
    "runtime": doubling(720),
}
if SETTINGS.nodes > 1:
    TRAINING |= {"mpi": "srun", "tasks": SETTINGS.nodes, "tasks_per_gpu": 0}
else:
    TRAINING |= {"tasks": 0 if SETTINGS.gpu else 1}
