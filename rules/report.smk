"""One page for people: scores, sample answers, loss curves, where everything came from, what it cost.

in   results/evaluation/, manifests and trainer logs of all stages, benchmarks/ and results/sweep/best.yaml as far as there
out  results/report.html
"""


rule report:
    """Show scores, answers, curves, what each step kept, where everything came from and what it cost, on one page."""
    input:
        scores="results/evaluation/scores.tsv",
        parts="results/evaluation/parts.tsv",
        figures="results/evaluation/figures.tsv",
        differences="results/evaluation/differences.tsv",
        evaluations=expand("results/evaluation/{model}.json", model=EVALUATED),
        base_model="results/base_model/manifest.json",
        corpus=MADE["corpus"],
        origins=ORIGINS,
        summary=["results/corpus/summary.tsv"] if SETTINGS.corpus.enabled else [],
        tokenizer=MADE["tokenizer"],
        pretrain=MADE["pretrain_lora"],
        sft_data=MADE["sft_data"],
        sft=MADE["sft_lora"],
    output:
        output="results/report.html",
    # Before what may end the run.
    priority: 1
    conda:
        "../envs/report.yaml"
    params:
        **program("report"),
        **finished_sweep(),
        settings=to_json(SETTINGS),
        name=RUN or "demo",
        # Of the rules defined so far, those of the run.
        rules=[EMBEDDED.own_name(rule.name) for rule in own_rules()],
        sources=list(CORPUS_SOURCES),
    shell:
        PROGRAM
