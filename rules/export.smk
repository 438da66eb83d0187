"""The finished model for other programs. Nothing here is made unless it is asked for: `make export`.

in   the model of the last stage, results/corpus/ and results/sft_data/ to compare with, the stages' adapters
out  results/export/: gguf-f16/, gguf-q8_0/, gguf-q4_0/, gguf-q4_k_m/, safetensors-bf16/, safetensors-fp32/,
     adapter-pretrain/, adapter-sft/
"""

FINISHED, *_ = finished(SETTINGS)

# Adapters by stage, and the model that each goes on.
ADAPTERS = {
    stage: (MADE[f"{stage}_lora"], model)
    for stage, model in (("pretrain", MADE["extended_model"]), ("sft", SFT_MODEL))
    if MADE[f"{stage}_lora"]
}


rule export_gguf:
    """Write the model as GGUF for llama.cpp and Ollama, and compare what llama.cpp makes of it with the original."""
    input:
        model=FINISHED,
        corpus=MADE["corpus"],
        sft_data=MADE["sft_data"],
    output:
        output="results/export/gguf-{type}/manifest.json",
    wildcard_constraints:
        type="f16|q8_0|q4_0|q4_k_m",
    conda:
        "../envs/export.yaml"
    threads: 4
    resources:
        mem_mb=to_compare,
    params:
        **program("export_gguf", "type"),
        settings=to_json(SETTINGS.export, export.ComparisonSettings),
    shell:
        PROGRAM


rule export_safetensors:
    """Write the model in one number format, in files of a limited size, and read them back."""
    input:
        model=FINISHED,
    output:
        output="results/export/safetensors-{dtype}/manifest.json",
    wildcard_constraints:
        dtype="bf16|fp32",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=to_load,
    params:
        **program("export_safetensors", "dtype"),
        shard_bytes=SETTINGS.export.shard_bytes,
    shell:
        PROGRAM


rule export_adapter:
    """Write a stage's adapter with its tokenizer, and put it on its model once."""
    input:
        adapter=lambda wildcards: ADAPTERS[wildcards.stage][0],
        model=lambda wildcards: ADAPTERS[wildcards.stage][1],
        base_model="results/base_model/manifest.json",
    output:
        output="results/export/adapter-{stage}/manifest.json",
    wildcard_constraints:
        stage="|".join(ADAPTERS) or "none",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=to_load,
    params:
        **program("export_adapter"),
    shell:
        PROGRAM


rule export:
    """All that the settings name."""
    input:
        expand("results/export/{format}/manifest.json", format=SETTINGS.export.formats),
    localrule: True
