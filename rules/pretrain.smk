"""Stage 1: text as blocks of tokens, LoRA training on them, and the merged model.

in   results/corpus/{train,validation}/, results/tokenizer/, results/extended_model/, results/sft_data/ if asked for
out  results/pretrain_tokens/, results/pretrain_data/, results/pretrain_lora/, results/pretrain_model/
"""


rule pretrain_tokens:
    """Encode the documents of one shard as token ids."""
    input:
        train=f"results/corpus/{SETTINGS.corpus.training_folder}/{{source}}/{{shard}}.parquet",
        validation="results/corpus/validation/{source}/{shard}.parquet",
        tokenizer="results/tokenizer/manifest.json",
    output:
        train_output="results/pretrain_tokens/train/{source}/{shard}.arrow",
        validation_output="results/pretrain_tokens/validation/{source}/{shard}.arrow",
    conda:
        "../envs/training.yaml"
    params:
        **program("pretrain_tokens"),
    shell:
        PROGRAM


rule pretrain_data:
    """Pack the encoded documents of all sources into blocks of equal length."""
    input:
        of_all("results/pretrain_tokens/train/{source}/{shard}.arrow"),
        of_all("results/pretrain_tokens/validation/{source}/{shard}.arrow"),
        corpus="results/corpus/manifest.json",
        tokenizer="results/tokenizer/manifest.json",
        base_model="results/base_model/manifest.json",
        sft_data=MADE["sft_data"] if SETTINGS.pretrain.include_instructions else [],
    output:
        output="results/pretrain_data/manifest.json",
    conda:
        "../envs/training.yaml"
    params:
        **program("pretrain_data"),
        settings=to_json(SETTINGS.pretrain, pretrain.PackingSettings),
        seed=SETTINGS.seed,
        sources=list(CORPUS_SOURCES),
        shards=len(SHARDS),
        replay=json.dumps(INPUTS.replay),
    shell:
        PROGRAM


rule pretrain:
    """Stage 1: train LoRA adapters and the new tokens' rows on the blocks, from the latest checkpoint if there is one."""
    input:
        model="results/extended_model/manifest.json",
        data="results/pretrain_data/manifest.json",
    output:
        output="results/pretrain_lora/manifest.json",
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        **training_resources(SETTINGS, SETTINGS.pretrain, SETTINGS.pretrain.block_size, SETTINGS.cluster),
    params:
        **program("pretrain"),
        **training_settings(SETTINGS.pretrain),
        **PROCESSES,
        seed=SETTINGS.seed,
    shell:
        PROGRAM


rule pretrain_model:
    """Merge the stage-1 adapter into the extended model."""
    input:
        model="results/extended_model/manifest.json",
        adapter="results/pretrain_lora/manifest.json",
    output:
        output="results/pretrain_model/manifest.json",
    conda:
        "../envs/training.yaml"
    threads: 2
    resources:
        mem_mb=to_load,
    params:
        **program("pretrain_model"),
    shell:
        PROGRAM
