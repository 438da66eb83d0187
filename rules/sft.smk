"""Stage 2: instructions as training examples, LoRA fine-tuning on them, and the finished model with its card.

in   instruction sets, results/tokenizer/, results/pretrain_model/, results/evaluation/scores.tsv;
     results/extended_model/ and results/pretrain_lora/ when the stage-1 adapter goes on
out  results/sft_data/, results/sft_lora/, results/sft_model/
"""

from lib.settings.sft import InstructionSettings

# What stage 2 trains on: the stage-1 model, or that model's parts when its adapter goes on.
if SETTINGS.sft.continue_adapter:
    SFT_MODEL, SFT_ADAPTER = "results/extended_model/manifest.json", ["results/pretrain_lora/manifest.json"]
else:
    SFT_MODEL, SFT_ADAPTER = "results/pretrain_model/manifest.json", []


rule sft_data:
    input:
        tokenizer="results/tokenizer/manifest.json",
        files=INSTRUCTION_FILES,
    output:
        manifest="results/sft_data/manifest.json",
    log:
        "logs/sft_data.log",
    benchmark:
        "benchmarks/sft_data.tsv"
    conda:
        "../envs/training.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(2000),
        runtime=minutes(60),
    params:
        settings=to_json(SETTINGS.sft, InstructionSettings),
        sets=instruction_rows(INSTRUCTION_SOURCES.values(), "format", "layout", "weight"),
        seed=SETTINGS.seed,
        program=SCRIPTS / "sft_data.py",
        code=code("sft_data"),
    shell:
        "python {params.program:q} --settings {params.settings:q} --seed {params.seed}"
        " --sets {params.sets:q} --tokenizer {input.tokenizer:q} --downloads work/downloads"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"


rule sft:
    input:
        model=SFT_MODEL,
        adapter=SFT_ADAPTER,
        data="results/sft_data/manifest.json",
    output:
        manifest="results/sft_lora/manifest.json",
    log:
        "logs/sft.log",
    benchmark:
        "benchmarks/sft.tsv"
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        **TRAINING_NODES,
        mem_mb=megabytes(8000 * SETTINGS.processes_per_node),
        runtime=minutes(720),
    params:
        settings=to_json(SETTINGS.sft),
        seed=SETTINGS.seed,
        gpu=SETTINGS.gpu,
        processes=SETTINGS.processes,
        nodes=SETTINGS.nodes,
        program=SCRIPTS / "sft.py",
        code=code("sft"),
    shell:
        "OMP_NUM_THREADS={threads} python {params.program:q} --settings {params.settings:q}"
        " --seed {params.seed} --gpu {params.gpu} --processes {params.processes} --nodes {params.nodes} --work work"
        " --model {input.model:q} --adapter {input.adapter:q} --data {input.data:q}"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"


rule sft_model:
    input:
        model=SFT_MODEL,
        adapter="results/sft_lora/manifest.json",
        base_model="results/base_model/manifest.json",
        corpus="results/corpus/manifest.json",
        tokenizer="results/tokenizer/manifest.json",
        pretrain="results/pretrain_lora/manifest.json",
        sft_data="results/sft_data/manifest.json",
        scores="results/evaluation/scores.tsv",
    output:
        directory("results/sft_model"),
    log:
        "logs/sft_model.log",
    benchmark:
        "benchmarks/sft_model.tsv"
    conda:
        "../envs/training.yaml"
    threads: 2
    resources:
        gpu=0,
        mem_mb=megabytes(4000),
        runtime=minutes(30),
    params:
        program=SCRIPTS / "sft_model.py",
        code=code("sft_model"),
    shell:
        "python {params.program:q} --model {input.model:q} --adapter {input.adapter:q}"
        " --base-model {input.base_model:q} --corpus {input.corpus:q} --tokenizer {input.tokenizer:q}"
        " --pretrain {input.pretrain:q} --sft-data {input.sft_data:q} --scores {input.scores:q}"
        " --output {output:q} 2>&1 | tee -i {log:q}"
