"""Raw text and instructions in, a fine-tuned chat model out: `snakemake --cores all results/sft_model`."""

from snakemake.utils import min_version

min_version("9.27")

IS_ENTRY = workflow.modifier.is_main_snakefile()  # not a module of another workflow

if not workflow.overwrite_configfiles:

    configfile: "config/demo.yaml"


include: "rules/common.smk"
include: "rules/base_model.smk"
include: "rules/tokenizer.smk"


if SETTINGS.corpus.enabled:

    include: "rules/corpus.smk"


if SETTINGS.trains_stage_1:

    include: "rules/pretrain.smk"


if SETTINGS.sft.enabled:

    include: "rules/sft.smk"


include: "rules/evaluation.smk"
include: "rules/export.smk"


if SWEEP.points:

    include: "rules/sweep.smk"


include: "rules/report.smk"


rule all:
    """The finished model and the report."""
    default_target: IS_ENTRY
    input:
        finished(SETTINGS),
        required(SETTINGS),
        "results/report.html",
    localrule: True


rule model:
    """The finished model, that of the last stage which the run has, and the scores."""
    input:
        finished(SETTINGS),
        required(SETTINGS),
        ORIGINS,
    localrule: True


complete(workflow, SETTINGS.cluster, EMBEDDED)


onsuccess:
    remove_timestamp(Path("results/sft_model"))
    write_end(Path.cwd(), "finished")


onerror:
    remove_timestamp(Path("results/sft_model"))
    write_end(Path.cwd(), "failed")


# Before Snakemake plans: what another run has finished in the same way is not computed again.
if IS_ENTRY and workflow.is_main_process and workflow.overwrite_workdir is None and ALONE not in os.environ:
    take_over(workflow, PROJECT, RUN)

if IS_ENTRY and workflow.is_main_process:
    clear_dead_locks(Path.cwd())
    correct_plugin()
    refuse_unrecorded(workflow)
    look_at_results(workflow.rules)


onstart:
    look_at_what_is_replaced(workflow.dag.needrun_jobs())
    pass_on_sigterm()
    write_jobs(workflow)
