"""Text from many sources as clean, deduplicated shards, some of it held out.

in   the sources of config/corpus.tsv
out  results/corpus/: raw/, files/, quarantine/, clean/, dropped/, signatures/, lines/, duplicates/, shared_lines/,
     mix/, split/, train/, validation/, emptied/, summary.tsv, README.md, manifest.json
     with corpus.decontaminate also held_out/, decontaminated/, contaminated/

Documents are dealt into a fixed number of shards per source, so that all jobs are known before anything runs.
A source's row reaches its own rules only: changing one row leaves the raw and clean shards of all others alone, and the
finished shards of the sources above it, too, unless corpus.decontaminate checks training text against all held-out text.
"""

import json
from dataclasses import asdict, replace

from lib.settings.corpus import (
    CleaningSettings,
    DecontaminationSettings,
    DeduplicationSettings,
    ReadingSettings,
    SharedLineSettings,
    SignatureSettings,
    SplitSettings,
)
from lib.settings.sheets import NAME_PATTERN
from lib.sources.listing import WATCHED_FILES, listing_fingerprint

# Instructions that training text is checked against, if it is checked.
HELD_OUT_SETS = list(INSTRUCTION_SOURCES.values()) if SETTINGS.corpus.decontaminate_instructions else []

# The settings of each source: the general ones, and its own where the sheet has any.
SOURCE_SETTINGS = {name: SETTINGS.corpus.model_copy(update=row.settings) for name, row in CORPUS_SOURCES.items()}
CLEANING_FILES = {
    name: [str(local_path(path)) for path in (settings.custom_rules, settings.blocked_words) if path]
    for name, settings in SOURCE_SETTINGS.items()
}


wildcard_constraints:
    source=NAME_PATTERN.pattern,
    shard=r"\d{4,5}",


rule fetch:
    input:
        files=lambda wildcards: (
            CORPUS_FILES[wildcards.source] if len(CORPUS_FILES[wildcards.source]) <= WATCHED_FILES else []
        ),
    output:
        expand("results/corpus/raw/{{source}}/{shard}.parquet", shard=SHARDS),
        "results/corpus/files/{source}.parquet",
        "results/corpus/quarantine/{source}.parquet",
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
        settings=to_json(SETTINGS.corpus, ReadingSettings),
        # The whole row except what changes nothing here.
        source=lambda wildcards: json.dumps(
            asdict(
                replace(
                    CORPUS_SOURCES[wildcards.source], license="", weight=1, max_characters=None, replay=0, settings={}
                )
            )
        ),
        listing=lambda wildcards: (
            listing_fingerprint(CORPUS_FILES[wildcards.source])
            if len(CORPUS_FILES[wildcards.source]) > WATCHED_FILES
            else ""
        ),
        shards=len(SHARDS),
        # Outside the outputs, which Snakemake deletes before each attempt: an interrupted download goes on from here.
        downloads="work/downloads",
        program=SCRIPTS / "fetch.py",
        code=code("fetch"),
    shell:
        "python {params.program:q} --settings {params.settings:q} --source {params.source:q} --shards {params.shards}"
        " --downloads {params.downloads:q} --output {output.counts:q} 2>&1 | tee -i {log:q}"


rule clean:
    input:
        "results/corpus/raw/{source}/{shard}.parquet",
        # Read by way of the settings, where they are named.
        lambda wildcards: CLEANING_FILES[wildcards.source],
    output:
        "results/corpus/clean/{source}/{shard}.parquet",
        "results/corpus/dropped/{source}/{shard}.parquet",
        "results/corpus/signatures/{source}/{shard}.parquet",
        "results/corpus/lines/{source}/{shard}.parquet",
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
        mem_mb=megabytes(2000),
        runtime=minutes(60),
    params:
        settings=lambda wildcards: to_json(SOURCE_SETTINGS[wildcards.source], CleaningSettings),
        signatures=to_json(SETTINGS.corpus, SignatureSettings),
        program=SCRIPTS / "clean.py",
        code=code("clean"),
    shell:
        "POLARS_MAX_THREADS={threads} RAYON_NUM_THREADS={threads} python {params.program:q}"
        " --settings {params.settings:q} --signatures {params.signatures:q}"
        " --source {wildcards.source:q} --shard {wildcards.shard} --directory results/corpus"
        " --output {output.counts:q} 2>&1 | tee -i {log:q}"


rule deduplicate:
    input:
        lambda wildcards: expand(
            "results/corpus/signatures/{source}/{shard}.parquet", source=sources_up_to(wildcards.source), shard=SHARDS
        ),
    output:
        "results/corpus/duplicates/{source}.parquet",
    log:
        "logs/deduplicate/{source}.log",
    benchmark:
        "benchmarks/deduplicate/{source}.tsv"
    conda:
        "../envs/text.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(8000),
        runtime=minutes(120),
    params:
        settings=to_json(SETTINGS.corpus, DeduplicationSettings),
        sources=lambda wildcards: sources_up_to(wildcards.source),
        shards=len(SHARDS),
        program=SCRIPTS / "deduplicate.py",
        code=code("deduplicate"),
    shell:
        "POLARS_MAX_THREADS={threads} python {params.program:q} --settings {params.settings:q}"
        " --sources {params.sources:q} --shards {params.shards}"
        " --directory results/corpus --output {output:q} 2>&1 | tee -i {log:q}"


rule shared_lines:
    input:
        expand("results/corpus/{step}/{{source}}/{shard}.parquet", step=["clean", "lines"], shard=SHARDS),
        "results/corpus/duplicates/{source}.parquet",
    output:
        "results/corpus/shared_lines/{source}.parquet",
    log:
        "logs/shared_lines/{source}.log",
    benchmark:
        "benchmarks/shared_lines/{source}.tsv"
    conda:
        "../envs/text.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(2000),
        runtime=minutes(60),
    params:
        settings=lambda wildcards: to_json(SOURCE_SETTINGS[wildcards.source], SharedLineSettings),
        shards=len(SHARDS),
        program=SCRIPTS / "shared_lines.py",
        code=code("shared_lines"),
    shell:
        "POLARS_MAX_THREADS={threads} python {params.program:q} --settings {params.settings:q}"
        " --source {wildcards.source:q} --shards {params.shards}"
        " --directory results/corpus --output {output:q} 2>&1 | tee -i {log:q}"


rule mix:
    input:
        # Without a cap there is nothing to count.
        lambda wildcards: (
            [
                *expand("results/corpus/signatures/{source}/{shard}.parquet", source=wildcards.source, shard=SHARDS),
                f"results/corpus/duplicates/{wildcards.source}.parquet",
            ]
            if CORPUS_SOURCES[wildcards.source].max_characters
            else []
        ),
    output:
        "results/corpus/mix/{source}.json",
    log:
        "logs/mix/{source}.log",
    benchmark:
        "benchmarks/mix/{source}.tsv"
    conda:
        "../envs/text.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(2000),
        runtime=minutes(30),
    params:
        settings=to_json(SETTINGS.corpus, SplitSettings),
        seed=SETTINGS.seed,
        shards=len(SHARDS),
        weight=lambda wildcards: CORPUS_SOURCES[wildcards.source].weight,
        cap=lambda wildcards: (
            ["--max-characters", CORPUS_SOURCES[wildcards.source].max_characters]
            if CORPUS_SOURCES[wildcards.source].max_characters
            else []
        ),
        program=SCRIPTS / "mix.py",
        code=code("mix"),
    shell:
        "POLARS_MAX_THREADS={threads} python {params.program:q} --settings {params.settings:q} --seed {params.seed}"
        " --source {wildcards.source:q} --shards {params.shards} --weight {params.weight} {params.cap}"
        " --directory results/corpus --output {output:q} 2>&1 | tee -i {log:q}"


rule split:
    input:
        "results/corpus/clean/{source}/{shard}.parquet",
        "results/corpus/duplicates/{source}.parquet",
        "results/corpus/shared_lines/{source}.parquet",
        "results/corpus/mix/{source}.json",
    output:
        "results/corpus/train/{source}/{shard}.parquet",
        "results/corpus/validation/{source}/{shard}.parquet",
        "results/corpus/emptied/{source}/{shard}.parquet",
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
        minimum_length=lambda wildcards: SOURCE_SETTINGS[wildcards.source].minimum_length,
        program=SCRIPTS / "split.py",
        code=code("split"),
    shell:
        "POLARS_MAX_THREADS={threads} python {params.program:q} --settings {params.settings:q} --seed {params.seed}"
        " --minimum-length {params.minimum_length} --source {wildcards.source:q} --shard {wildcards.shard}"
        " --directory results/corpus --output {output.counts:q} 2>&1 | tee -i {log:q}"


rule held_out:
    input:
        expand("results/corpus/validation/{source}/{shard}.parquet", source=CORPUS_SOURCES, shard=SHARDS),
        INSTRUCTION_FILES if HELD_OUT_SETS else [],
        benchmarks=BENCHMARK_FILES,
    output:
        "results/corpus/held_out/hashes.npy",
        "results/corpus/held_out/owners.npy",
        "results/corpus/held_out/names.parquet",
        manifest="results/corpus/held_out/manifest.json",
    log:
        "logs/held_out.log",
    benchmark:
        "benchmarks/held_out.tsv"
    conda:
        "../envs/text.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(4000),
        runtime=minutes(60),
    params:
        settings=to_json(SETTINGS.corpus, DecontaminationSettings),
        sources=list(CORPUS_SOURCES),
        shards=len(SHARDS),
        sets=instruction_rows(HELD_OUT_SETS, "format", "layout"),
        downloads="work/downloads",
        program=SCRIPTS / "held_out.py",
        code=code("held_out"),
    shell:
        "POLARS_MAX_THREADS={threads} python {params.program:q} --settings {params.settings:q}"
        " --sources {params.sources:q} --shards {params.shards} --directory results/corpus"
        " --sets {params.sets:q} --downloads {params.downloads:q} --benchmarks {input.benchmarks:q}"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"


rule decontaminate:
    input:
        "results/corpus/train/{source}/{shard}.parquet",
        "results/corpus/held_out/manifest.json",
    output:
        "results/corpus/decontaminated/{source}/{shard}.parquet",
        "results/corpus/contaminated/{source}/{shard}.parquet",
        counts="results/corpus/decontaminated/{source}/{shard}.json",
    log:
        "logs/decontaminate/{source}/{shard}.log",
    benchmark:
        "benchmarks/decontaminate/{source}/{shard}.tsv"
    conda:
        "../envs/text.yaml"
    threads: 1
    resources:
        gpu=0,
        mem_mb=megabytes(4000),
        runtime=minutes(60),
    params:
        settings=to_json(SETTINGS.corpus, DecontaminationSettings),
        program=SCRIPTS / "decontaminate.py",
        code=code("decontaminate"),
    shell:
        "POLARS_MAX_THREADS={threads} python {params.program:q} --settings {params.settings:q}"
        " --source {wildcards.source:q} --shard {wildcards.shard} --directory results/corpus"
        " --output {output.counts:q} 2>&1 | tee -i {log:q}"


rule corpus:
    input:
        expand("results/corpus/raw/{source}.json", source=CORPUS_SOURCES),
        expand(
            "results/corpus/{step}/{source}/{shard}.json",
            step=["clean", "split", *(["decontaminated"] if SETTINGS.corpus.decontaminate else [])],
            source=CORPUS_SOURCES,
            shard=SHARDS,
        ),
        expand("results/corpus/shared_lines/{source}.parquet", source=CORPUS_SOURCES),
        expand("results/corpus/mix/{source}.json", source=CORPUS_SOURCES),
        # Not read, but part of what the manifest vouches for: a shard that was deleted is made again.
        expand(
            "results/corpus/{split}/{source}/{shard}.parquet",
            split=[SETTINGS.corpus.training_folder, "validation"],
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
            [
                {
                    "name": row.name,
                    "uri": row.uri,
                    "license": row.license,
                    "weight": row.weight,
                    "max_characters": row.max_characters,
                    "replay": row.replay,
                    "settings": row.settings,
                }
                for row in CORPUS_SOURCES.values()
            ],
            ensure_ascii=False,
        ),
        program=SCRIPTS / "corpus.py",
        code=code("corpus"),
    shell:
        "python {params.program:q} --settings {params.settings:q} --seed {params.seed} --sources {params.sources:q}"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"
