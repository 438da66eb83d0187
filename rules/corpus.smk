"""Text from many sources as clean, deduplicated shards, some of it held out.

in   the sources of config/corpus.tsv
out  results/corpus/: raw/, clean/, dropped/, duplicates/, split/, train/, validation/, summary.tsv, README.md, manifest.json

Documents are dealt into a fixed number of shards per source, so that all jobs are known before anything runs.
A source's row reaches its own rules only: changing one row leaves the shards of the sources above it alone.
"""

import json
from dataclasses import asdict, replace

from lib.settings.corpus import CleaningSettings, SplitSettings
from lib.sheets import NAME_PATTERN


wildcard_constraints:
    source=NAME_PATTERN.pattern,
    shard=r"\d{4,5}",


rule fetch:
    input:
        files=lambda wildcards: CORPUS_FILES[wildcards.source],
    output:
        shards=expand("results/corpus/raw/{{source}}/{shard}.parquet", shard=SHARDS),
        counts="results/corpus/raw/{source}.json",
    log:
        "logs/fetch/{source}.log",
    benchmark:
        "benchmarks/fetch/{source}.tsv"
    conda:
        "../envs/text.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(2000),
        runtime=minutes(120),
    params:
        # The whole row except the licence, which changes nothing here.
        source=lambda wildcards: json.dumps(asdict(replace(CORPUS_SOURCES[wildcards.source], license=""))),
        shards=len(SHARDS),
        # Outside the outputs, which Snakemake deletes before each attempt: an interrupted download goes on from here.
        downloads="work/downloads",
        program=SCRIPTS / "fetch.py",
        code=code("fetch"),
    shell:
        "python {params.program:q} --source {params.source:q} --shards {params.shards}"
        " --downloads {params.downloads:q} --output {output.counts:q} 2>&1 | tee -i {log:q}"


rule clean:
    input:
        "results/corpus/raw/{source}/{shard}.parquet",
    output:
        "results/corpus/clean/{source}/{shard}.parquet",
        "results/corpus/dropped/{source}/{shard}.parquet",
        counts="results/corpus/clean/{source}/{shard}.json",
    log:
        "logs/clean/{source}/{shard}.log",
    benchmark:
        "benchmarks/clean/{source}/{shard}.tsv"
    conda:
        "../envs/text.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(4000),
        runtime=minutes(60),
    params:
        settings=to_json(SETTINGS.corpus, CleaningSettings),
        program=SCRIPTS / "clean.py",
        code=code("clean"),
    shell:
        "POLARS_MAX_THREADS={threads} python {params.program:q} --settings {params.settings:q}"
        " --source {wildcards.source:q} --shard {wildcards.shard} --directory results/corpus"
        " --output {output.counts:q} 2>&1 | tee -i {log:q}"


rule deduplicate:
    input:
        lambda wildcards: expand(
            "results/corpus/clean/{source}/{shard}.parquet", source=sources_up_to(wildcards.source), shard=SHARDS
        ),
    output:
        "results/corpus/duplicates/{source}.parquet",
    log:
        "logs/deduplicate/{source}.log",
    benchmark:
        "benchmarks/deduplicate/{source}.tsv"
    conda:
        "../envs/text.yaml"
    threads: 2
    resources:
        gpu=0,
        mem_mb=megabytes(8000),
        runtime=minutes(60),
    params:
        sources=lambda wildcards: sources_up_to(wildcards.source),
        shards=len(SHARDS),
        program=SCRIPTS / "deduplicate.py",
        code=code("deduplicate"),
    shell:
        "POLARS_MAX_THREADS={threads} python {params.program:q} --sources {params.sources:q} --shards {params.shards}"
        " --directory results/corpus --output {output:q} 2>&1 | tee -i {log:q}"


rule split:
    input:
        "results/corpus/clean/{source}/{shard}.parquet",
        "results/corpus/duplicates/{source}.parquet",
    output:
        "results/corpus/train/{source}/{shard}.parquet",
        "results/corpus/validation/{source}/{shard}.parquet",
        counts="results/corpus/split/{source}/{shard}.json",
    log:
        "logs/split/{source}/{shard}.log",
    benchmark:
        "benchmarks/split/{source}/{shard}.tsv"
    conda:
        "../envs/text.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(4000),
        runtime=minutes(30),
    params:
        settings=to_json(SETTINGS.corpus, SplitSettings),
        seed=SETTINGS.seed,
        program=SCRIPTS / "split.py",
        code=code("split"),
    shell:
        "POLARS_MAX_THREADS={threads} python {params.program:q} --settings {params.settings:q} --seed {params.seed}"
        " --source {wildcards.source:q} --shard {wildcards.shard} --directory results/corpus"
        " --output {output.counts:q} 2>&1 | tee -i {log:q}"


rule corpus:
    input:
        expand("results/corpus/raw/{source}.json", source=CORPUS_SOURCES),
        expand(
            "results/corpus/{step}/{source}/{shard}.json", step=["clean", "split"], source=CORPUS_SOURCES, shard=SHARDS
        ),
        # Not read, but part of what the manifest vouches for: a shard that was deleted is made again.
        expand(
            "results/corpus/{split}/{source}/{shard}.parquet",
            split=["train", "validation"],
            source=CORPUS_SOURCES,
            shard=SHARDS,
        ),
    output:
        "results/corpus/summary.tsv",
        "results/corpus/README.md",
        manifest="results/corpus/manifest.json",
    log:
        "logs/corpus.log",
    benchmark:
        "benchmarks/corpus.tsv"
    conda:
        "../envs/text.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(1000),
        runtime=minutes(30),
    params:
        settings=to_json(SETTINGS.corpus),
        seed=SETTINGS.seed,
        sources=json.dumps(
            [{"name": row.name, "uri": row.uri, "license": row.license} for row in CORPUS_SOURCES.values()],
            ensure_ascii=False,
        ),
        program=SCRIPTS / "corpus.py",
        code=code("corpus"),
    shell:
        "python {params.program:q} --settings {params.settings:q} --seed {params.seed} --sources {params.sources:q}"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"
