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
    FetchSettings,
    ReadingSettings,
    SharedLineSettings,
    SignatureSettings,
    SplitSettings,
)
from lib.settings.sheets import NAME_PATTERN
from lib.sources.listing import WATCHED_FILES, can_be_watched, listing_fingerprint

# Columns of a source's row that change nothing in what is read from it.
NOT_READ = {"license": "", "weight": 1, "max_characters": None, "replay": 0, "settings": {}}

# Other sources are watched by a fingerprint of their files' list: quicker for many files, and for any names.
WATCHED = {
    name: files
    for name, files in INPUTS.corpus_files.items()
    if len(files) <= WATCHED_FILES and all(map(can_be_watched, files))
}

# Instructions that training text is checked against, if it is checked.
HELD_OUT_SETS = list(INSTRUCTION_SOURCES.values()) if SETTINGS.corpus.decontaminate_instructions else []

# The settings of each source: the general ones, and its own where the sheet has any.
SOURCE_SETTINGS = {name: SETTINGS.corpus.of_source(row.settings) for name, row in CORPUS_SOURCES.items()}
CLEANING_FILES = {
    name: [str(local_path(path)) for path in (settings.custom_rules, settings.blocked_words) if path]
    for name, settings in SOURCE_SETTINGS.items()
}

# A source and those above it in the sheet, which are preferred to it.
UP_TO = {name: list(CORPUS_SOURCES)[:count] for count, name in enumerate(CORPUS_SOURCES, start=1)}


wildcard_constraints:
    source=NAME_PATTERN.pattern,
    shard=r"\d{4,5}",


rule fetch:
    """Read one source, whatever its format, and deal its documents into shards."""
    input:
        files=lambda wildcards: WATCHED.get(wildcards.source, []),
    output:
        expand("results/corpus/raw/{{source}}/{shard}.parquet", shard=SHARDS),
        "results/corpus/files/{source}.parquet",
        "results/corpus/quarantine/{source}.parquet",
        counts="results/corpus/raw/{source}.json",
    conda:
        "../envs/text.yaml"
    resources:
        gpu=0,
        runtime=doubling(120),
    params:
        **program("fetch"),
        settings=to_json(SETTINGS.corpus, FetchSettings),
        source=lambda wildcards: json.dumps(asdict(replace(CORPUS_SOURCES[wildcards.source], **NOT_READ))),
        listing=lambda wildcards: (
            "" if wildcards.source in WATCHED else listing_fingerprint(INPUTS.corpus_files[wildcards.source])
        ),
        shards=len(SHARDS),
    shell:
        "python {params.program:q} --settings {params.settings:q} --source {params.source:q} --shards {params.shards}"
        " --downloads work/downloads --output {output.counts:q} 2>&1 | tee -i {log:q}"


rule clean:
    """Clean one shard: normalize characters, remove markup and boilerplate, drop poor documents."""
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
    conda:
        "../envs/text.yaml"
    resources:
        gpu=0,
    params:
        **program("clean"),
        settings=lambda wildcards: to_json(SOURCE_SETTINGS[wildcards.source], CleaningSettings),
        signatures=to_json(SETTINGS.corpus, SignatureSettings),
    shell:
        "python {params.program:q} --settings {params.settings:q} --signatures {params.signatures:q}"
        " --source {wildcards.source:q} --shard {wildcards.shard} --directory results/corpus --output {output.counts:q}"
        " 2>&1 | tee -i {log:q}"


rule deduplicate:
    """List a source's documents that are exact or near-duplicates, within it or of sources above it in the sheet."""
    input:
        lambda wildcards: expand(
            "results/corpus/signatures/{source}/{shard}.parquet", source=UP_TO[wildcards.source], shard=SHARDS
        ),
    output:
        "results/corpus/duplicates/{source}.parquet",
    conda:
        "../envs/text.yaml"
    resources:
        gpu=0,
        mem_mb=doubling(8000),
        runtime=doubling(120),
    params:
        **program("deduplicate"),
        settings=to_json(SETTINGS.corpus, DeduplicationSettings),
        sources=lambda wildcards: UP_TO[wildcards.source],
        shards=len(SHARDS),
    shell:
        "python {params.program:q} --settings {params.settings:q} --sources {params.sources:q} --shards {params.shards}"
        " --directory results/corpus --output {output:q} 2>&1 | tee -i {log:q}"


rule shared_lines:
    """List the lines that many documents of a source have in common, such as navigation."""
    input:
        expand("results/corpus/{step}/{{source}}/{shard}.parquet", step=["clean", "lines"], shard=SHARDS),
        "results/corpus/duplicates/{source}.parquet",
    output:
        "results/corpus/shared_lines/{source}.parquet",
    conda:
        "../envs/text.yaml"
    resources:
        gpu=0,
    params:
        **program("shared_lines"),
        settings=lambda wildcards: to_json(SOURCE_SETTINGS[wildcards.source], SharedLineSettings),
        shards=len(SHARDS),
    shell:
        "python {params.program:q} --settings {params.settings:q} --source {wildcards.source:q}"
        " --shards {params.shards} --directory results/corpus --output {output:q} 2>&1 | tee -i {log:q}"


rule mix:
    """Decide how often each document of a source is trained on, and hold one out where chance holds out none."""
    input:
        expand("results/corpus/signatures/{{source}}/{shard}.parquet", shard=SHARDS),
        "results/corpus/duplicates/{source}.parquet",
    output:
        "results/corpus/mix/{source}.json",
    conda:
        "../envs/text.yaml"
    resources:
        gpu=0,
    params:
        **program("mix"),
        settings=to_json(SETTINGS.corpus, SplitSettings),
        seed=SETTINGS.seed,
        shards=len(SHARDS),
        weight=lambda wildcards: CORPUS_SOURCES[wildcards.source].weight,
        maximum=lambda wildcards: (
            ["--max-characters", CORPUS_SOURCES[wildcards.source].max_characters]
            if CORPUS_SOURCES[wildcards.source].max_characters
            else []
        ),
    shell:
        "python {params.program:q} --settings {params.settings:q} --seed {params.seed} --source {wildcards.source:q}"
        " --shards {params.shards} --weight {params.weight} {params.maximum} --directory results/corpus"
        " --output {output:q} 2>&1 | tee -i {log:q}"


rule split:
    """Take duplicates and shared lines out of one shard, and hold some of its documents out for validation."""
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
    conda:
        "../envs/text.yaml"
    resources:
        gpu=0,
    params:
        **program("split"),
        settings=to_json(SETTINGS.corpus, SplitSettings),
        seed=SETTINGS.seed,
        minimum_length=lambda wildcards: SOURCE_SETTINGS[wildcards.source].minimum_length,
    shell:
        "python {params.program:q} --settings {params.settings:q} --seed {params.seed}"
        " --minimum-length {params.minimum_length} --source {wildcards.source:q} --shard {wildcards.shard}"
        " --directory results/corpus --output {output.counts:q} 2>&1 | tee -i {log:q}"


rule held_out:
    """Index the n-grams of what must not be trained on: validation text, instructions, benchmarks."""
    input:
        expand("results/corpus/validation/{source}/{shard}.parquet", source=CORPUS_SOURCES, shard=SHARDS),
        INPUTS.instruction_files if HELD_OUT_SETS else [],
        INPUTS.files["corpus.benchmarks"],
    output:
        "results/corpus/held_out/hashes.npy",
        "results/corpus/held_out/owners.npy",
        "results/corpus/held_out/names.parquet",
        "results/corpus/held_out/quarantine.parquet",
        manifest="results/corpus/held_out/manifest.json",
    conda:
        "../envs/text.yaml"
    resources:
        gpu=0,
    params:
        **program("held_out"),
        settings=to_json(SETTINGS.corpus, DecontaminationSettings),
        sources=list(CORPUS_SOURCES),
        shards=len(SHARDS),
        reading=to_json(SETTINGS.corpus, ReadingSettings),
        sets=json_rows(HELD_OUT_SETS, "name", "uri", "sha256", "format", "encoding", "layout", "columns"),
        benchmarks=lambda wildcards: SETTINGS.corpus.benchmarks,
    shell:
        "python {params.program:q} --settings {params.settings:q} --sources {params.sources:q} --shards {params.shards}"
        " --directory results/corpus --reading {params.reading:q} --sets {params.sets:q} --downloads work/downloads"
        " --benchmarks {params.benchmarks:q} --output {output.manifest:q} 2>&1 | tee -i {log:q}"


rule decontaminate:
    """Drop the training documents of one shard that share a long n-gram with held-out text."""
    input:
        "results/corpus/train/{source}/{shard}.parquet",
        "results/corpus/held_out/manifest.json",
    output:
        "results/corpus/decontaminated/{source}/{shard}.parquet",
        "results/corpus/contaminated/{source}/{shard}.parquet",
        counts="results/corpus/decontaminated/{source}/{shard}.json",
    conda:
        "../envs/text.yaml"
    resources:
        gpu=0,
    params:
        **program("decontaminate"),
        settings=to_json(SETTINGS.corpus, DecontaminationSettings),
    shell:
        "python {params.program:q} --settings {params.settings:q} --source {wildcards.source:q}"
        " --shard {wildcards.shard} --directory results/corpus --output {output.counts:q} 2>&1 | tee -i {log:q}"


rule corpus:
    """Count what every step kept and dropped, and describe the finished corpus in a data card."""
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
        # Not read, but part of what the manifest vouches for: a shard that was deleted is rebuilt.
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
    conda:
        "../envs/text.yaml"
    resources:
        gpu=0,
    params:
        **program("corpus"),
        settings=to_json(SETTINGS.corpus),
        seed=SETTINGS.seed,
        sources=json_rows(
            CORPUS_SOURCES.values(), "name", "uri", "license", "weight", "max_characters", "replay", "settings"
        ),
    shell:
        "python {params.program:q} --settings {params.settings:q} --seed {params.seed} --sources {params.sources:q}"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"
