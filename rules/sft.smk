"""Stage 2: instructions as training examples, LoRA fine-tuning on them, and the finished model with its card.

in   instruction sets, results/tokenizer/, results/pretrain_model/, results/evaluation/scores.tsv;
     results/extended_model/ without a stage 1, and with results/pretrain_lora/ when the stage-1 adapter goes on
out  results/sft_data/, results/sft_lora/, results/sft_model/
"""

from lib.settings.corpus import ReadingLimits
from lib.settings.sft import InstructionSettings


rule sft_data:
    """Turn instructions into token ids with a loss on the answers only, some held out for validation."""
    input:
        tokenizer=TOKENIZER,
        files=INPUTS.instruction_files,
        # Read by way of the settings, where it is named.
        template=INPUTS.files["sft.template"],
    output:
        manifest="results/sft_data/manifest.json",
    conda:
        "../envs/training.yaml"
    resources:
        gpu=0,
    params:
        **program("sft_data"),
        settings=to_json(SETTINGS.sft, InstructionSettings),
        sets=json_rows(
            INSTRUCTION_SOURCES.values(), "name", "uri", "sha256", "format", "encoding", "layout", "columns", "weight"
        ),
        reading=to_json(SETTINGS.corpus, ReadingLimits),
        seed=SETTINGS.seed,
    shell:
        "python {params.program:q} --settings {params.settings:q} --seed {params.seed} --sets {params.sets:q}"
        " --reading {params.reading:q} --tokenizer {input.tokenizer:q} --downloads work/downloads"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"


rule sft:
    """Stage 2: train LoRA adapters on the instructions, from the latest checkpoint if there is one."""
    input:
        model=SFT_MODEL,
        adapter=SFT_ADAPTER,
        data="results/sft_data/manifest.json",
    output:
        manifest="results/sft_lora/manifest.json",
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        **TRAINING,
    params:
        **program("sft"),
        **training_settings(SETTINGS.sft),
        seed=SETTINGS.seed,
        gpu=SETTINGS.gpu,
        processes=SETTINGS.processes,
        nodes=SETTINGS.nodes,
    shell:
        "python {params.program:q} --settings {params.settings:q} --seed {params.seed} --gpu {params.gpu}"
        " --processes {params.processes} --nodes {params.nodes} --work work --model {input.model:q}"
        " --adapter {input.adapter:q} --data {input.data:q} --output {output.manifest:q} 2>&1 | tee -i {log:q}"


rule sft_model:
    """Merge the stage-2 adapter, and publish the finished model with its card."""
    input:
        model=SFT_MODEL,
        adapter="results/sft_lora/manifest.json",
        base_model="results/base_model/manifest.json",
        corpus=MADE["corpus"],
        tokenizer=MADE["tokenizer"],
        pretrain=MADE["pretrain_lora"],
        own_stage_1=MADE["pretrain_model"] if SETTINGS.pretrain.uri else [],
        sft_data="results/sft_data/manifest.json",
        scores="results/evaluation/scores.tsv",
    output:
        directory("results/sft_model"),
    conda:
        "../envs/training.yaml"
    threads: 2
    resources:
        gpu=0,
    params:
        **program("sft_model"),
    shell:
        "python {params.program:q} --model {input.model:q} --adapter {input.adapter:q}"
        " --base-model {input.base_model:q} --corpus {input.corpus:q} --tokenizer {input.tokenizer:q}"
        " --pretrain {input.pretrain:q} --own-stage-1 {input.own_stage_1:q} --sft-data {input.sft_data:q}"
        " --scores {input.scores:q} --output {output:q} 2>&1 | tee -i {log:q}"
