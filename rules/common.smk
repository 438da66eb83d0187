"""Settings, sheets and what follows from them for every rule: the only Python beside the rules."""

import gc
import json
import os
import sys
from pathlib import Path

# In a module, `workflow.basedir` is the folder of the workflow that uses it.
sys.path.insert(0, f"{Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent}/scripts")

from lib.chat.known_templates import written_tokens
from lib.core.integrity import CHECKSUM_MEGABYTES
from lib.core.places import ALONE
from lib.corpus.fetching.parts import part_names
from lib.runs.plan import write_end
from lib.runs.sharing import take_over
from lib.settings import corpus, evaluation, export, pretrain, sft, tokenizer
from lib.settings.base import to_json
from lib.settings.sheets import DESCRIBED_COLUMNS, NAME_PATTERN, READ_COLUMNS, replay_shares
from lib.sources.listing import named_inputs, other_inputs
from lib.sweep.best import finished_sweep
from lib.sweep.plan import KEY
from lib.workflow.jobs import write_jobs
from lib.workflow.embedding import Embedded
from lib.workflow.memory import to_compare, to_compute, to_load
from lib.workflow.processes import clear_dead_locks, pass_on_sigterm
from lib.workflow.records import refuse_unrecorded
from lib.workflow.rules import (
    PREFIX,
    PROGRAM,
    complete,
    half_of_the_cores,
    json_rows,
    program,
    program_of_point,
    remove_timestamp,
    training_resources,
    training_settings,
)
from lib.workflow.slurm import correct_plugin
from lib.workflow.stages import (
    budget_of_new_tokens,
    evaluated,
    finished,
    manifests,
    measured_by_lm_eval,
    required,
    start_of_stage_2,
)
from lib.workflow.start import look_at_results, look_at_what_is_replaced, start

# Planning makes objects by the million, and nearly all stay: the search for those that may go is put off.
gc.set_threshold(1_000_000)

# Without conda, a rule's `python` is the one that runs Snakemake, whether or not its environment is activated.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))

# A thread that waits for another spins only briefly. With 50,000 spins, fewer than by default, a training step takes
# seven times as long when one other process is busy on two cores, instead of 2.4 times.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

SETTINGS, RUN, PROJECT, INPUTS, SWEEP = start(workflow, config)

shell.prefix(f"{PREFIX}export {CHECKSUM_MEGABYTES}={SETTINGS.checksum_megabytes}; ")

EMBEDDED = Embedded.of(workflow.modifier)
INPUTS = INPUTS.from_outside(EMBEDDED)
PROGRAM = EMBEDDED.command(PROGRAM)

CORPUS_SOURCES, INSTRUCTION_SOURCES = INPUTS.corpus, INPUTS.instructions

# The settings of each source: the general ones, and its own where the sheet has any.
SOURCE_SETTINGS = {name: SETTINGS.corpus.of_source(row.settings) for name, row in CORPUS_SOURCES.items()}

# Manifests by folder of results/; what this run does not make has none.
MADE = manifests(SETTINGS)
SFT_MODEL, SFT_ADAPTER = start_of_stage_2(SETTINGS)
TOKENIZER = MADE["tokenizer"] or MADE["pretrain_model"]
ORIGINS = ["results/corpus/origins.json"] if SETTINGS.corpus.enabled else []

# For people; what is made from these addresses is not made again when it lies elsewhere.
ADDRESSES = {
    "base_model": {"uri": SETTINGS.base_model.uri},
    "own_stage_1": {"uri": SETTINGS.pretrain.uri},
    "sft_data": {"addresses": {name: row.uri for name, row in INSTRUCTION_SOURCES.items()}},
}

SHARDS = [f"{shard:04d}" for shard in range(SETTINGS.corpus.shards)]

# Scoring and short fits run as one process.
ONE_GPU = min(SETTINGS.gpu, 1)

PROCESSES = {"gpu": SETTINGS.gpu, "processes": SETTINGS.processes, "nodes": SETTINGS.nodes}


def own_rules():
    """The rules of this workflow, without those of one that uses it as a module."""
    return [rule for rule in workflow.rules if rule in workflow.modifier.rules]


def of_source(pattern, source="{source}"):
    """The files of `pattern` for all shards of the source in the wildcard, or of those that are named."""
    return expand(pattern, source=source, shard=SHARDS)


def of_all(pattern):
    """The files of `pattern` for all sources and, where it has a shard, all shards."""
    return expand(pattern, source=CORPUS_SOURCES, shard=SHARDS)


def up_to(source):
    """The names of a source and of those above it in the sheet, which are preferred to it."""
    return list(CORPUS_SOURCES)[: list(CORPUS_SOURCES).index(source) + 1]


# Sources whose signatures one file stands for.
BLOCK = 30


def block(name):
    """The names of the sources in a block, `block_0` for the first ones."""
    number = int(name.removeprefix("block_"))
    return list(CORPUS_SOURCES)[number * BLOCK :][:BLOCK]


def signatures_up_to(source):
    """Files that stand for the signatures of a source and of those above it: one for each whole block, then each."""
    sources = up_to(source)
    blocks = len(sources) // BLOCK
    return [
        *(f"results/corpus/signatures/block_{number}.txt" for number in range(blocks)),
        *of_source("results/corpus/signatures/{source}/{shard}.parquet", sources[blocks * BLOCK :]),
    ]
