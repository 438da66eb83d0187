"""One page for people: scores, sample answers, loss curves, where everything came from, what it cost.

in   results/evaluation/, manifests and trainer logs of all stages, benchmarks/ as far as there
out  results/report.html
"""


rule report:
    """Show scores, answers, curves, what each step kept, where everything came from and what it cost, on one page."""
    input:
        scores="results/evaluation/scores.tsv",
        parts="results/evaluation/parts.tsv",
        evaluations=expand("results/evaluation/{model}.json", model=EVALUATED),
        base_model="results/base_model/manifest.json",
        corpus=MADE["corpus"],
        summary=["results/corpus/summary.tsv"] if SETTINGS.corpus.enabled else [],
        tokenizer=MADE["tokenizer"],
        pretrain=MADE["pretrain_lora"],
        sft_data=MADE["sft_data"],
        sft=MADE["sft_lora"],
    output:
        page="results/report.html",
    conda:
        "../envs/report.yaml"
    resources:
        gpu=0,
    params:
        **program("report"),
        settings=to_json(SETTINGS),
        name=RUN or "demo",
        rules=[
            rule.name
            for rule in workflow.rules
            if SETTINGS.corpus.decontaminate or rule.name not in ("held_out", "decontaminate")
        ],
        sources=list(CORPUS_SOURCES),
    shell:
        "python {params.program:q} --settings {params.settings:q} --name {params.name:q} --rules {params.rules:q}"
        " --sources {params.sources:q} --scores {input.scores:q} --parts {input.parts:q} --evaluations {input.evaluations:q}"
        " --base-model {input.base_model:q} --corpus {input.corpus:q} --summary {input.summary:q}"
        " --tokenizer {input.tokenizer:q} --pretrain {input.pretrain:q} --sft-data {input.sft_data:q}"
        " --sft {input.sft:q} --benchmarks benchmarks --output {output.page:q} 2>&1 | tee -i {log:q}"
