"""Stage 1: encoded text, packed into blocks, LoRA continued pretraining on them, and the merged model.

in   results/corpus/{train,validation}/, results/tokenizer/, results/extended_model/, results/sft_data/ if asked for
out  results/pretrain_tokens/, results/pretrain_data/, results/pretrain_lora/, results/pretrain_model/
"""

import json

from lib.settings.pretrain import PackingSettings


rule pretrain_tokens:
    input:
        train=f"results/corpus/{SETTINGS.corpus.training_folder}/{{source}}/{{shard}}.parquet",
        validation="results/corpus/validation/{source}/{shard}.parquet",
        tokenizer="results/tokenizer/manifest.json",
    output:
        train="results/pretrain_tokens/train/{source}/{shard}.arrow",
        validation="results/pretrain_tokens/validation/{source}/{shard}.arrow",
    log:
        "logs/pretrain_tokens/{source}/{shard}.log",
    benchmark:
        "benchmarks/pretrain_tokens/{source}/{shard}.tsv"
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(1000),
        runtime=minutes(60),
    params:
        program=SCRIPTS / "pretrain_tokens.py",
        code=code("pretrain_tokens"),
    shell:
        "POLARS_MAX_THREADS={threads} RAYON_NUM_THREADS={threads} python {params.program:q}"
        " --tokenizer {input.tokenizer:q} --train {input.train:q} --validation {input.validation:q}"
        " --train-output {output.train:q} --validation-output {output.validation:q} 2>&1 | tee -i {log:q}"


rule pretrain_data:
    input:
        expand(
            "results/pretrain_tokens/{split}/{source}/{shard}.arrow",
            split=["train", "validation"],
            source=CORPUS_SOURCES,
            shard=SHARDS,
        ),
        corpus="results/corpus/manifest.json",
        tokenizer="results/tokenizer/manifest.json",
        sft_data=["results/sft_data/manifest.json"] if SETTINGS.pretrain.include_instructions else [],
    output:
        manifest="results/pretrain_data/manifest.json",
    log:
        "logs/pretrain_data.log",
    benchmark:
        "benchmarks/pretrain_data.tsv"
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(2000),
        runtime=minutes(60),
    params:
        settings=to_json(SETTINGS.pretrain, PackingSettings),
        seed=SETTINGS.seed,
        sources=list(CORPUS_SOURCES),
        shards=len(SHARDS),
        replay=json.dumps(REPLAY),
        program=SCRIPTS / "pretrain_data.py",
        code=code("pretrain_data"),
    shell:
        "python {params.program:q} --settings {params.settings:q} --seed {params.seed}"
        " --sources {params.sources:q} --shards {params.shards} --replay {params.replay:q}"
        " --tokens results/pretrain_tokens --corpus {input.corpus:q} --tokenizer {input.tokenizer:q}"
        " --sft-data {input.sft_data:q}"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"


rule pretrain:
    input:
        model="results/extended_model/manifest.json",
        data="results/pretrain_data/manifest.json",
    output:
        manifest="results/pretrain_lora/manifest.json",
    log:
        "logs/pretrain.log",
    benchmark:
        "benchmarks/pretrain.tsv"
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        **TRAINING_NODES,
        mem_mb=megabytes(8000 * SETTINGS.processes_per_node),
        runtime=minutes(720),
    params:
        settings=to_json(SETTINGS.pretrain),
        seed=SETTINGS.seed,
        gpu=SETTINGS.gpu,
        processes=SETTINGS.processes,
        nodes=SETTINGS.nodes,
        program=SCRIPTS / "pretrain.py",
        code=code("pretrain"),
    shell:
        "OMP_NUM_THREADS={threads} python {params.program:q} --settings {params.settings:q}"
        " --seed {params.seed} --gpu {params.gpu} --processes {params.processes} --nodes {params.nodes} --work work"
        " --model {input.model:q} --data {input.data:q}"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"


rule pretrain_model:
    input:
        model="results/extended_model/manifest.json",
        adapter="results/pretrain_lora/manifest.json",
    output:
        manifest="results/pretrain_model/manifest.json",
    log:
        "logs/pretrain_model.log",
    benchmark:
        "benchmarks/pretrain_model.tsv"
    conda:
        "../envs/training.yaml"
    threads: 2
    resources:
        gpu=0,
        mem_mb=megabytes(4000),
        runtime=minutes(30),
    params:
        program=SCRIPTS / "pretrain_model.py",
        code=code("pretrain_model"),
    shell:
        "python {params.program:q} --model {input.model:q} --adapter {input.adapter:q}"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"
