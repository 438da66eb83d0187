"""Stage 1: encoded text, packed into blocks, LoRA continued pretraining on them, and the merged model.

in   results/corpus/{train,validation}/, results/tokenizer/, results/extended_model/, results/sft_data/ if asked for
out  results/pretrain_tokens/, results/pretrain_data/, results/pretrain_lora/, results/pretrain_model/
"""

import json

from lib.settings.pretrain import PackingSettings


rule pretrain_tokens:
    """Encode the documents of one shard as token ids."""
    input:
        train=f"results/corpus/{SETTINGS.corpus.training_folder}/{{source}}/{{shard}}.parquet",
        validation="results/corpus/validation/{source}/{shard}.parquet",
        tokenizer="results/tokenizer/manifest.json",
    output:
        train="results/pretrain_tokens/train/{source}/{shard}.arrow",
        validation="results/pretrain_tokens/validation/{source}/{shard}.arrow",
    conda:
        "../envs/training.yaml"
    resources:
        gpu=0,
    params:
        **program("pretrain_tokens"),
    shell:
        "python {params.program:q} --tokenizer {input.tokenizer:q} --train {input.train:q}"
        " --validation {input.validation:q} --train-output {output.train:q} --validation-output {output.validation:q}"
        " 2>&1 | tee -i {log:q}"


rule pretrain_data:
    """Pack the encoded documents of all sources into blocks of equal length."""
    input:
        expand(
            "results/pretrain_tokens/{split}/{source}/{shard}.arrow",
            split=["train", "validation"],
            source=CORPUS_SOURCES,
            shard=SHARDS,
        ),
        corpus="results/corpus/manifest.json",
        tokenizer="results/tokenizer/manifest.json",
        base_model="results/base_model/manifest.json",
        sft_data=MADE["sft_data"] if SETTINGS.pretrain.include_instructions else [],
    output:
        manifest="results/pretrain_data/manifest.json",
    conda:
        "../envs/training.yaml"
    resources:
        gpu=0,
    params:
        **program("pretrain_data"),
        settings=to_json(SETTINGS.pretrain, PackingSettings),
        seed=SETTINGS.seed,
        sources=list(CORPUS_SOURCES),
        shards=len(SHARDS),
        replay=json.dumps(INPUTS.replay),
    shell:
        "python {params.program:q} --settings {params.settings:q} --seed {params.seed} --sources {params.sources:q}"
        " --shards {params.shards} --replay {params.replay:q} --tokens results/pretrain_tokens"
        " --corpus {input.corpus:q} --tokenizer {input.tokenizer:q} --base-model {input.base_model:q}"
        " --sft-data {input.sft_data:q}"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"


rule pretrain:
    """Stage 1: train LoRA adapters and the new tokens' rows on the blocks, from the latest checkpoint if there is one."""
    input:
        model="results/extended_model/manifest.json",
        data="results/pretrain_data/manifest.json",
    output:
        manifest="results/pretrain_lora/manifest.json",
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        **TRAINING,
    params:
        **program("pretrain"),
        **training_settings(SETTINGS.pretrain),
        seed=SETTINGS.seed,
        gpu=SETTINGS.gpu,
        processes=SETTINGS.processes,
        nodes=SETTINGS.nodes,
    shell:
        "python {params.program:q} --settings {params.settings:q} --seed {params.seed} --gpu {params.gpu}"
        " --processes {params.processes} --nodes {params.nodes} --work work --model {input.model:q}"
        " --data {input.data:q} --output {output.manifest:q} 2>&1 | tee -i {log:q}"


rule pretrain_model:
    """Merge the stage-1 adapter into the extended model."""
    input:
        model="results/extended_model/manifest.json",
        adapter="results/pretrain_lora/manifest.json",
    output:
        manifest="results/pretrain_model/manifest.json",
    conda:
        "../envs/training.yaml"
    threads: 2
    resources:
        gpu=0,
    params:
        **program("pretrain_model"),
    shell:
        "python {params.program:q} --model {input.model:q} --adapter {input.adapter:q} --output {output.manifest:q}"
        " 2>&1 | tee -i {log:q}"
