"""Stage 2: instructions as training examples, LoRA fine-tuning on them, and the finished model with its card.

in   instruction sets, results/tokenizer/, results/pretrain_model/, results/evaluation/scores.tsv;
     results/extended_model/ without a stage 1, and with results/pretrain_lora/ when the stage-1 adapter goes on
out  results/sft_data/, results/sft_lora/, results/sft_model/
"""


rule sft_data:
    """Turn instructions into token ids with a loss on the answers only, some held out for validation."""
    input:
        INPUTS.named("sft.sources", "sft.template"),
        tokenizer=TOKENIZER,
    output:
        output="results/sft_data/manifest.json",
    conda:
        "../envs/training.yaml"
    params:
        **program("sft_data"),
        settings=to_json(SETTINGS.sft, sft.InstructionSettings),
        # Another address that brings the same is no change: what is computed from outputs is not watched.
        sets=lambda wildcards, output: json_rows(INSTRUCTION_SOURCES.values(), *READ_COLUMNS, "weight"),
        watched=lambda wildcards: json_rows(INPUTS.rows("sft.sources"), *READ_COLUMNS, "weight"),
        reading=to_json(SETTINGS.corpus, corpus.ReadingLimits),
        seed=SETTINGS.seed,
        unnamed=INPUTS.others("sft.sources", "sft.template"),
    shell:
        PROGRAM


rule sft:
    """Stage 2: train LoRA adapters on the instructions, from the latest checkpoint if there is one."""
    input:
        model=SFT_MODEL,
        adapter=SFT_ADAPTER,
        data="results/sft_data/manifest.json",
    output:
        output="results/sft_lora/manifest.json",
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        **training_resources(SETTINGS, SETTINGS.sft, SETTINGS.sft.max_length, SETTINGS.cluster),
    params:
        **program("sft"),
        **training_settings(SETTINGS.sft),
        **PROCESSES,
        seed=SETTINGS.seed,
    shell:
        PROGRAM


rule sft_model:
    """Merge the stage-2 adapter, and publish the finished model with its card."""
    input:
        model=SFT_MODEL,
        adapter="results/sft_lora/manifest.json",
        base_model="results/base_model/manifest.json",
        corpus=MADE["corpus"],
        origins=ORIGINS,
        tokenizer=MADE["tokenizer"],
        pretrain=MADE["pretrain_lora"],
        own_stage_1=MADE["pretrain_model"] if SETTINGS.pretrain.uri else [],
        sft_data="results/sft_data/manifest.json",
        scores="results/evaluation/scores.tsv",
        differences="results/evaluation/differences.tsv",
    output:
        output=directory("results/sft_model"),
    conda:
        "../envs/training.yaml"
    threads: 2
    resources:
        mem_mb=to_load,
    params:
        **program("sft_model"),
        addresses=json.dumps(ADDRESSES, ensure_ascii=False),
    shell:
        PROGRAM
