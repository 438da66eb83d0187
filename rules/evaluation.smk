"""Bits per character of held-out text, instructions and control text for every model on the way, and sample answers.

in   results/{base_model,extended_model,pretrain_model,sft_lora}/, results/corpus/validation/, results/sft_data/
out  results/evaluation/
"""

# The fine-tuned model is put together in memory as results/sft_model is, whose card quotes its scores.
EVALUATED = evaluated(SETTINGS)
SCORED_FILES = ("evaluation.control", "evaluation.prompts", "evaluation.multiple_choice")
BY_LM_EVAL = measured_by_lm_eval(SETTINGS)


rule evaluate:
    """Score one model on held-out text, held-out answers and control text, and let it answer the prompts."""
    input:
        INPUTS.named(*SCORED_FILES),
        model=lambda wildcards: EVALUATED[wildcards.model][0],
        base_model="results/base_model/manifest.json",
        adapter=lambda wildcards: EVALUATED[wildcards.model][1:],
        tokenizer=[] if SETTINGS.sft.enabled else TOKENIZER,
        corpus=MADE["corpus"],
        sft_data=MADE["sft_data"],
    output:
        scores="results/evaluation/{model}.json",
        measurements="results/evaluation/items/{model}.tsv",
    wildcard_constraints:
        model="|".join(EVALUATED),
    # After training, which is slow beside other work, and for which more rules wait.
    priority: -1
    conda:
        "../envs/training.yaml"
    # Two models side by side take less time than one after the other with all cores each.
    threads: half_of_the_cores(4)
    resources:
        gpu=ONE_GPU,
        mem_mb=to_compute(ONE_GPU),
    params:
        **program("evaluate"),
        name=lambda wildcards: wildcards.model,
        settings=to_json(SETTINGS.evaluation, evaluation.ScoringSettings),
        reading=to_json(SETTINGS.corpus, corpus.ReadingSettings),
        control=SETTINGS.evaluation.control,
        script=SETTINGS.corpus.target_script,
        unnamed=INPUTS.others(*SCORED_FILES),
        gpu=lambda wildcards, resources: resources.gpu,
    shell:
        PROGRAM


if BY_LM_EVAL:

    rule lm_eval_tasks:
        """Measure one model on tasks of lm-eval."""
        input:
            INPUTS.named("evaluation.lm_eval_tasks"),
            model=lambda wildcards: EVALUATED[wildcards.model][0],
            adapter=lambda wildcards: EVALUATED[wildcards.model][1:],
            tokenizer=[] if SETTINGS.sft.enabled else TOKENIZER,
            sft_data=MADE["sft_data"],
        output:
            output="results/evaluation/lm_eval/{model}.tsv",
        wildcard_constraints:
            model="|".join(BY_LM_EVAL),
        conda:
            "../envs/lm_eval.yaml"
        threads: 4
        resources:
            gpu=ONE_GPU,
            mem_mb=to_compute(ONE_GPU),
        params:
            **program("lm_eval_tasks"),
            name=lambda wildcards: wildcards.model,
            tasks=SETTINGS.evaluation.lm_eval,
            folder=SETTINGS.evaluation.lm_eval_tasks,
            limit=SETTINGS.evaluation.lm_eval_limit,
            precision=SETTINGS.evaluation.precision,
            unnamed=INPUTS.others("evaluation.lm_eval_tasks"),
            gpu=lambda wildcards, resources: resources.gpu,
        shell:
            PROGRAM


rule scores:
    """Put the scores of all models into tables with intervals and differences, and their answers side by side."""
    input:
        results=expand("results/evaluation/{model}.json", model=EVALUATED),
        measurements=expand("results/evaluation/items/{model}.tsv", model=EVALUATED)
        + expand("results/evaluation/lm_eval/{model}.tsv", model=BY_LM_EVAL),
    output:
        table="results/evaluation/scores.tsv",
        parts="results/evaluation/parts.tsv",
        figures="results/evaluation/figures.tsv",
        differences="results/evaluation/differences.tsv",
        answers="results/evaluation/answers.md",
    conda:
        "../envs/report.yaml"
    params:
        **program("scores"),
    shell:
        PROGRAM


if SETTINGS.evaluation.require:

    rule require:
        """End the run with an error when a figure misses its bound, after everything else is written."""
        input:
            finished(SETTINGS),
            figures="results/evaluation/figures.tsv",
            differences="results/evaluation/differences.tsv",
        output:
            output="results/evaluation/require.tsv",
        conda:
            "../envs/report.yaml"
        params:
            **program("require"),
            settings=to_json(SETTINGS.evaluation),
        shell:
            PROGRAM
