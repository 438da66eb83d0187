"""How many new tokens? For every size: characters per token, parameters added, quality after a short training.

in   results/base_model/, results/corpus/
out  results/sweep/, results/tokenizer/sweep.tsv, results/tokenizer/sweep.svg
"""

from lib.settings.evaluation import ScoringSettings
from lib.settings.sweep import BriefTrainingSettings
from lib.settings.tokenizer import InitializationSettings, VocabularySettings


use rule tokenizer as sweep_tokenizer with:
    output:
        manifest="results/sweep/{size,[0-9]+}/tokenizer/manifest.json",
    params:
        **program("tokenizer"),
        settings=lambda wildcards: to_json(
            SETTINGS.tokenizer.model_copy(
                update={"uri": None, "new_tokens": int(wildcards.size), "characters_per_token": None}
            ),
            VocabularySettings,
        ),


rule sweep_size:
    """Train briefly with one number of new tokens, and score the result."""
    input:
        base_model="results/base_model/manifest.json",
        tokenizer="results/sweep/{size}/tokenizer/manifest.json",
        corpus="results/corpus/manifest.json",
    output:
        scores="results/sweep/{size,[0-9]+}/scores.json",
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
        initialization=to_json(SETTINGS.tokenizer, InitializationSettings),
        training=to_json(SETTINGS.pretrain),
        scoring=to_json(SETTINGS.evaluation, ScoringSettings),
        seed=SETTINGS.seed,
        gpu=ONE_GPU,
    shell:
        "python {params.program:q} --settings {params.settings:q} --initialization {params.initialization:q}"
        " --training {params.training:q} --scoring {params.scoring:q} --seed {params.seed} --gpu {params.gpu}"
        " --base-model {input.base_model:q} --tokenizer {input.tokenizer:q} --corpus {input.corpus:q}"
        " --output {output.scores:q} 2>&1 | tee -i {log:q}"


rule sweep:
    """Collect the scores of all numbers of new tokens in one table and one picture."""
    input:
        scores=expand("results/sweep/{size}/scores.json", size=SETTINGS.sweep.sizes),
        # Its directory, which is replaced whole, is where the table lies.
        tokenizer="results/tokenizer/manifest.json",
    output:
        table="results/tokenizer/sweep.tsv",
        picture="results/tokenizer/sweep.svg",
    conda:
        "../envs/report.yaml"
    resources:
        gpu=0,
    params:
        **program("sweep"),
    shell:
        "python {params.program:q} --scores {input.scores:q} --table {output.table:q} --picture {output.picture:q}"
        " 2>&1 | tee -i {log:q}"
