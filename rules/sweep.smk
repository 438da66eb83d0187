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
    log:
        "logs/sweep/{size}/tokenizer.log",
    benchmark:
        "benchmarks/sweep/{size}/tokenizer.tsv"
    params:
        settings=lambda wildcards: to_json(
            SETTINGS.tokenizer.model_copy(update={"new_tokens": int(wildcards.size), "characters_per_token": None}),
            VocabularySettings,
        ),
        program=SCRIPTS / "tokenizer.py",
        code=code("tokenizer"),


rule sweep_size:
    input:
        base_model="results/base_model/manifest.json",
        tokenizer="results/sweep/{size}/tokenizer/manifest.json",
        corpus="results/corpus/manifest.json",
    output:
        scores="results/sweep/{size,[0-9]+}/scores.json",
    log:
        "logs/sweep/{size}/scores.log",
    benchmark:
        "benchmarks/sweep/{size}/scores.tsv"
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        gpu=min(SETTINGS.gpu, 1),
        mem_mb=megabytes(8000),
        runtime=minutes(120),
    params:
        settings=to_json(SETTINGS.sweep, BriefTrainingSettings),
        initialization=to_json(SETTINGS.tokenizer, InitializationSettings),
        training=to_json(SETTINGS.pretrain),
        scoring=to_json(SETTINGS.evaluation, ScoringSettings),
        seed=SETTINGS.seed,
        gpu=min(SETTINGS.gpu, 1),
        program=SCRIPTS / "sweep_size.py",
        code=code("sweep_size"),
    shell:
        "OMP_NUM_THREADS={threads} python {params.program:q} --settings {params.settings:q}"
        " --initialization {params.initialization:q} --training {params.training:q} --scoring {params.scoring:q}"
        " --seed {params.seed} --gpu {params.gpu} --base-model {input.base_model:q}"
        " --tokenizer {input.tokenizer:q} --corpus {input.corpus:q}"
        " --output {output.scores:q} 2>&1 | tee -i {log:q}"


rule sweep:
    input:
        scores=expand("results/sweep/{size}/scores.json", size=SETTINGS.sweep.sizes),
        # Its directory, which is replaced whole, is where the table lies.
        tokenizer="results/tokenizer/manifest.json",
    output:
        table="results/tokenizer/sweep.tsv",
        picture="results/tokenizer/sweep.svg",
    log:
        "logs/sweep.log",
    benchmark:
        "benchmarks/sweep.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(500),
        runtime=minutes(10),
    params:
        program=SCRIPTS / "sweep.py",
        code=code("sweep"),
    shell:
        "python {params.program:q} --scores {input.scores:q}"
        " --table {output.table:q} --picture {output.picture:q} 2>&1 | tee -i {log:q}"
