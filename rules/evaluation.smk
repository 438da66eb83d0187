"""Bits per character of held-out text, instructions and control text for every model on the way, and sample answers.

in   results/{base_model,extended_model,pretrain_model,sft_lora}/, results/corpus/validation/, results/sft_data/
out  results/evaluation/
"""

from lib.settings.corpus import ReadingSettings
from lib.settings.evaluation import ScoringSettings

# The fine-tuned model is put together in memory as results/sft_model is, whose card quotes its scores.
EVALUATED = evaluated(SETTINGS)


rule evaluate:
    """Score one model on held-out text, held-out answers and control text, and let it answer the prompts."""
    input:
        model=lambda wildcards: EVALUATED[wildcards.model][0],
        base_model="results/base_model/manifest.json",
        adapter=lambda wildcards: EVALUATED[wildcards.model][1:],
        tokenizer=[] if SETTINGS.sft.enabled else TOKENIZER,
        corpus=MADE["corpus"],
        sft_data=MADE["sft_data"],
        texts=INPUTS.files["evaluation.control"] + INPUTS.files["evaluation.prompts"],
    output:
        scores="results/evaluation/{model}.json",
    wildcard_constraints:
        model="|".join(EVALUATED),
    conda:
        "../envs/training.yaml"
    threads: 4
    resources:
        gpu=ONE_GPU,
    params:
        **program("evaluate"),
        settings=to_json(SETTINGS.evaluation, ScoringSettings),
        reading=to_json(SETTINGS.corpus, ReadingSettings),
        control=lambda wildcards: SETTINGS.evaluation.control or [],
    shell:
        "python {params.program:q} --settings {params.settings:q} --name {wildcards.model:q} --gpu {resources.gpu}"
        " --model {input.model:q} --base-model {input.base_model:q} --adapter {input.adapter:q}"
        " --tokenizer {input.tokenizer:q} --corpus {input.corpus:q} --sft-data {input.sft_data:q}"
        " --control {params.control:q} --reading {params.reading:q} --downloads work/downloads"
        " --output {output.scores:q} 2>&1 | tee -i {log:q}"


rule scores:
    """Put the scores of all models into tables, and their answers side by side."""
    input:
        results=expand("results/evaluation/{model}.json", model=EVALUATED),
    output:
        table="results/evaluation/scores.tsv",
        parts="results/evaluation/parts.tsv",
        answers="results/evaluation/answers.md",
    conda:
        "../envs/report.yaml"
    resources:
        gpu=0,
    params:
        **program("scores"),
    shell:
        "python {params.program:q} --results {input.results:q} --table {output.table:q} --parts {output.parts:q}"
        " --answers {output.answers:q} 2>&1 | tee -i {log:q}"
