"""How many new tokens? For every size: characters per token, parameters added, quality after a short training.

in   results/base_model/, results/corpus/
out  results/sweep/, results/tokenizer/sweep.tsv, results/tokenizer/sweep.svg
"""

from lib.settings.sweep import BriefTrainingSettings


use rule tokenizer as sweep_tokenizer with:
    output:
        output="results/sweep/{size,[0-9]+}/tokenizer/manifest.json",
    params:
        **program("tokenizer"),
        settings=lambda wildcards: to_json(
            SETTINGS.tokenizer.model_copy(
                update={"uri": None, "new_tokens": int(wildcards.size), "characters_per_token": None}
            ),
            tokenizer.VocabularySettings,
        ),


rule sweep_size:
    """Train briefly with one number of new tokens, and score the result."""
    input:
        base_model="results/base_model/manifest.json",
        tokenizer="results/sweep/{size}/tokenizer/manifest.json",
        corpus="results/corpus/manifest.json",
    output:
        output="results/sweep/{size,[0-9]+}/scores.json",
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        gpu=ONE_GPU,
        mem_mb=doubling(8000),
        runtime=doubling(120),
    params:
        **program("sweep_size"),
        settings=to_json(SETTINGS.sweep, BriefTrainingSettings),
        initialization=to_json(SETTINGS.tokenizer, tokenizer.InitializationSettings),
        training=to_json(SETTINGS.pretrain),
        scoring=to_json(SETTINGS.evaluation, evaluation.ScoringSettings),
        seed=SETTINGS.seed,
        gpu=ONE_GPU,
    shell:
        PROGRAM


rule sweep:
    """Collect the scores of all numbers of new tokens in one table and one picture."""
    input:
        # Its directory, which is replaced whole, is where the table lies.
        "results/tokenizer/manifest.json",
        scores=expand("results/sweep/{size}/scores.json", size=SETTINGS.sweep.sizes),
    output:
        table="results/tokenizer/sweep.tsv",
        picture="results/tokenizer/sweep.svg",
    conda:
        "../envs/report.yaml"
    params:
        **program("sweep"),
    shell:
        PROGRAM
