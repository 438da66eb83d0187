"""Raw text and instructions in, a fine-tuned chat model out: `snakemake --cores all results/sft_model`."""

from snakemake.utils import min_version

min_version("9.27")


if not workflow.overwrite_configfiles:

    configfile: "config/demo.yaml"


include: "rules/common.smk"
include: "rules/base_model.smk"
include: "rules/corpus.smk"
include: "rules/tokenizer.smk"
include: "rules/sweep.smk"
include: "rules/pretrain.smk"
include: "rules/sft.smk"
include: "rules/evaluation.smk"
include: "rules/report.smk"


rule all:
    """Everything: the finished model and the report."""
    default_target: True
    input:
        "results/sft_model",
        "results/report.html",
    localrule: True


name_logs(workflow.rules)

# Before Snakemake plans: what another run has finished in the same way is not computed again.
if workflow.is_main_process and workflow.overwrite_workdir is None:
    take_over(workflow, PROJECT, RUN)
