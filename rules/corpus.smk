"""Text from many sources as clean, deduplicated shards, some of it held out.

in   the sources of config/corpus.tsv
out  results/corpus/: raw/, files/, quarantine/, clean/, dropped/, signatures/, lines/, duplicates/, shared_lines/,
     mix/, split/, train/, validation/, emptied/, summary.tsv, manifest.json, README.md, origins.json
     with corpus.good_examples also quality/
     with corpus.decontaminate also held_out/, decontaminated/, contaminated/

Documents are dealt into a fixed number of shards per source, so that all jobs are known before anything runs.
A source's row reaches its own rules only: changing one row leaves the raw and clean shards of all others alone, and the
finished shards of the sources above it, too, unless corpus.decontaminate checks training text against all held-out text.
"""

# The parts of each source that several jobs read.
PARTS = {name: part_names(row.parts) for name, row in CORPUS_SOURCES.items() if row.parts > 1}
IN_PARTS = f"{{source,{'|'.join(PARTS)}}}"


wildcard_constraints:
    source=NAME_PATTERN.pattern,
    shard=r"\d{4,5}",
    part=r"\d+-of-\d+",
    block=r"block_\d+",


rule fetch:
    """Read one source, whatever its format, and deal its documents into shards."""
    input:
        lambda wildcards: INPUTS.watched_files(wildcards.source),
    output:
        of_source("results/corpus/raw/{source}/{shard}.parquet"),
        "results/corpus/files/{source}.parquet",
        "results/corpus/quarantine/{source}.parquet",
        output="results/corpus/raw/{source}.json",
    conda:
        "../envs/text.yaml"
    resources:
        runtime=120,
    params:
        **program("fetch"),
        settings=to_json(SETTINGS.corpus, corpus.FetchSettings),
        # Another address that brings the same is no change: what is computed from outputs is not watched.
        source=lambda wildcards, output: CORPUS_SOURCES[wildcards.source].as_read(),
        watched=lambda wildcards: INPUTS.source(wildcards.source).as_read() + INPUTS.watched_listing(wildcards.source),
        shards=len(SHARDS),
    shell:
        PROGRAM


if PARTS:

    # Each part is dealt into files of its own, one for each shard.
    use rule fetch as fetch_part with:
        output:
            expand("results/corpus/raw/{{source}}/{{part}}/{shard}.parquet", shard=SHARDS),
            "results/corpus/files/{source}/{part}.parquet",
            "results/corpus/quarantine/{source}/{part}.parquet",
            output="results/corpus/raw/{source}/{part}.json",
        params:
            **program("fetch", "part"),

    rule gather:
        """Count what the parts of a source hold together. Its documents stay where they are."""
        input:
            lambda wildcards: expand(rules.fetch_part.output, part=PARTS[wildcards.source], allow_missing=True),
        output:
            f"results/corpus/files/{IN_PARTS}.parquet",
            f"results/corpus/quarantine/{IN_PARTS}.parquet",
            output=f"results/corpus/raw/{IN_PARTS}.json",
        conda:
            "../envs/text.yaml"
        params:
            **program("gather", "source"),
            settings=to_json(SETTINGS.corpus, corpus.FetchSettings),
            parts=lambda wildcards: CORPUS_SOURCES[wildcards.source].parts,
        shell:
            PROGRAM

    ruleorder: gather > fetch


if SETTINGS.corpus.good_examples:

    rule quality:
        """Learn from good and bad examples what a document is worth."""
        input:
            INPUTS.named("corpus.good_examples", "corpus.bad_examples"),
        output:
            "results/corpus/quality/classifier.npy",
            "results/corpus/quality/examples.parquet",
            output="results/corpus/quality/manifest.json",
        conda:
            "../envs/text.yaml"
        params:
            **program("quality"),
            settings=to_json(SETTINGS.corpus, corpus.QualitySettings),
            cleaning=to_json(SETTINGS.corpus, corpus.CleaningSettings),
            reading=to_json(SETTINGS.corpus, corpus.FetchSettings),
            unnamed=INPUTS.others("corpus.good_examples", "corpus.bad_examples"),
        shell:
            PROGRAM


rule clean:
    """Clean one shard: normalize characters, remove markup and boilerplate, drop poor documents."""
    input:
        lambda wildcards: (
            f"results/corpus/raw/{wildcards.source}.json"
            if wildcards.source in PARTS
            else f"results/corpus/raw/{wildcards.source}/{wildcards.shard}.parquet"
        ),
        lambda wildcards: named_inputs(EMBEDDED.outside(SOURCE_SETTINGS[wildcards.source].named_files())),
        quality="results/corpus/quality/manifest.json" if SETTINGS.corpus.good_examples else [],
    output:
        "results/corpus/clean/{source}/{shard}.parquet",
        "results/corpus/dropped/{source}/{shard}.parquet",
        "results/corpus/signatures/{source}/{shard}.parquet",
        "results/corpus/lines/{source}/{shard}.parquet",
        output="results/corpus/clean/{source}/{shard}.json",
    conda:
        "../envs/text.yaml"
    params:
        **program("clean", "source", "shard"),
        parts=lambda wildcards: CORPUS_SOURCES[wildcards.source].parts if wildcards.source in PARTS else None,
        shards=lambda wildcards: len(SHARDS) if wildcards.source in PARTS else None,
        settings=lambda wildcards: to_json(SOURCE_SETTINGS[wildcards.source], corpus.CleaningSettings),
        signatures=to_json(SETTINGS.corpus, corpus.SignatureSettings),
        unnamed=lambda wildcards: other_inputs(SOURCE_SETTINGS[wildcards.source].named_files()),
    shell:
        PROGRAM


if len(CORPUS_SOURCES) >= BLOCK:

    rule signatures_of_block:
        """Stand for the signatures of many sources, else all below would name each of them: half a million for 1,000."""
        input:
            lambda wildcards: of_source("results/corpus/signatures/{source}/{shard}.parquet", block(wildcards.block)),
        output:
            "results/corpus/signatures/{block}.txt",
        localrule: True
        shell:
            "stat --printf '%n %s %Y\\n' -- {input:q} > {output:q}"


rule deduplicate:
    """List a source's documents that are exact or near-duplicates, within it or of sources above it in the sheet."""
    input:
        lambda wildcards: signatures_up_to(wildcards.source),
    output:
        output="results/corpus/duplicates/{source}.parquet",
    conda:
        "../envs/text.yaml"
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        **program("deduplicate"),
        settings=to_json(SETTINGS.corpus, corpus.DeduplicationSettings),
        sources=lambda wildcards: up_to(wildcards.source),
        shards=len(SHARDS),
    shell:
        PROGRAM


rule shared_lines:
    """List the lines that many documents of a source have in common, such as navigation."""
    input:
        of_source("results/corpus/clean/{source}/{shard}.parquet"),
        of_source("results/corpus/lines/{source}/{shard}.parquet"),
        "results/corpus/duplicates/{source}.parquet",
    output:
        output="results/corpus/shared_lines/{source}.parquet",
    conda:
        "../envs/text.yaml"
    params:
        **program("shared_lines", "source"),
        settings=lambda wildcards: to_json(SOURCE_SETTINGS[wildcards.source], corpus.SharedLineSettings),
        shards=len(SHARDS),
    shell:
        PROGRAM


rule mix:
    """Decide how often each document of a source is trained on, and hold one out where chance holds out none."""
    input:
        of_source("results/corpus/signatures/{source}/{shard}.parquet"),
        "results/corpus/duplicates/{source}.parquet",
    output:
        output="results/corpus/mix/{source}.json",
    conda:
        "../envs/text.yaml"
    params:
        **program("mix", "source"),
        settings=to_json(SETTINGS.corpus, corpus.SplitSettings),
        seed=SETTINGS.seed,
        shards=len(SHARDS),
        weight=lambda wildcards: CORPUS_SOURCES[wildcards.source].weight,
        max_characters=lambda wildcards: CORPUS_SOURCES[wildcards.source].max_characters,
    shell:
        PROGRAM


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
        output="results/corpus/split/{source}/{shard}.json",
    conda:
        "../envs/text.yaml"
    params:
        **program("split", "source", "shard"),
        settings=to_json(SETTINGS.corpus, corpus.SplitSettings),
        seed=SETTINGS.seed,
        minimum_length=lambda wildcards: SOURCE_SETTINGS[wildcards.source].minimum_length,
    shell:
        PROGRAM


if SETTINGS.corpus.decontaminate:

    # Instructions that training text is checked against, if it is checked.
    HELD_OUT_SETS = list(INSTRUCTION_SOURCES.values()) if SETTINGS.corpus.decontaminate_instructions else []

    rule held_out:
        """Index the n-grams of what must not be trained on: validation text, instructions, benchmarks."""
        input:
            of_all("results/corpus/validation/{source}/{shard}.parquet"),
            INPUTS.named("corpus.benchmarks", *(["sft.sources"] if HELD_OUT_SETS else [])),
        output:
            "results/corpus/held_out/hashes.npy",
            "results/corpus/held_out/owners.npy",
            "results/corpus/held_out/names.parquet",
            "results/corpus/held_out/quarantine.parquet",
            output="results/corpus/held_out/manifest.json",
        conda:
            "../envs/text.yaml"
        params:
            **program("held_out"),
            settings=to_json(SETTINGS.corpus, corpus.DecontaminationSettings),
            sources=list(CORPUS_SOURCES),
            shards=len(SHARDS),
            reading=to_json(SETTINGS.corpus, corpus.ReadingSettings),
            sets=lambda wildcards, output: json_rows(HELD_OUT_SETS, *READ_COLUMNS),
            watched=lambda wildcards: json_rows(INPUTS.rows("sft.sources") if HELD_OUT_SETS else [], *READ_COLUMNS),
            benchmarks=SETTINGS.corpus.benchmarks,
            unnamed=INPUTS.others("corpus.benchmarks", *(["sft.sources"] if HELD_OUT_SETS else [])),
        shell:
            PROGRAM

    rule decontaminate:
        """Drop the training documents of one shard that share a long n-gram with held-out text."""
        input:
            "results/corpus/train/{source}/{shard}.parquet",
            "results/corpus/held_out/manifest.json",
        output:
            "results/corpus/decontaminated/{source}/{shard}.parquet",
            "results/corpus/contaminated/{source}/{shard}.parquet",
            output="results/corpus/decontaminated/{source}/{shard}.json",
        conda:
            "../envs/text.yaml"
        params:
            **program("decontaminate", "source", "shard"),
            settings=to_json(SETTINGS.corpus, corpus.DecontaminationSettings),
        shell:
            PROGRAM


rule corpus:
    """Count what every step kept and dropped, and vouch for the finished shards."""
    input:
        of_all("results/corpus/raw/{source}.json"),
        of_all("results/corpus/clean/{source}/{shard}.json"),
        of_all("results/corpus/split/{source}/{shard}.json"),
        of_all("results/corpus/decontaminated/{source}/{shard}.json") if SETTINGS.corpus.decontaminate else [],
        of_all("results/corpus/shared_lines/{source}.parquet"),
        of_all("results/corpus/mix/{source}.json"),
        "results/corpus/quality/manifest.json" if SETTINGS.corpus.good_examples else [],
        # Not read, but part of what the manifest vouches for: a shard that was deleted is rebuilt.
        of_all(f"results/corpus/{SETTINGS.corpus.training_folder}/{{source}}/{{shard}}.parquet"),
        of_all("results/corpus/validation/{source}/{shard}.parquet"),
    output:
        "results/corpus/summary.tsv",
        output="results/corpus/manifest.json",
    conda:
        "../envs/text.yaml"
    params:
        **program("corpus"),
        settings=to_json(SETTINGS.corpus, corpus.PreparationSettings),
        seed=SETTINGS.seed,
        # Where the sheet is changes nothing, nor do its facts for people: what is computed from outputs is not watched.
        sheet=lambda wildcards, output: SETTINGS.corpus.sources,
        watched=json_rows(CORPUS_SOURCES.values(), "name", "replay"),
    shell:
        PROGRAM


rule data_card:
    """Describe the finished corpus for people, with the addresses and licences of its sources, which shape no text."""
    input:
        "results/corpus/quality/manifest.json" if SETTINGS.corpus.good_examples else [],
        corpus="results/corpus/manifest.json",
        summary="results/corpus/summary.tsv",
    output:
        "results/corpus/README.md",
        output="results/corpus/origins.json",
    conda:
        "../envs/text.yaml"
    params:
        **program("data_card"),
        settings=to_json(SETTINGS.corpus, corpus.PreparationSettings),
        sheet=lambda wildcards, output: SETTINGS.corpus.sources,
        watched=json_rows(CORPUS_SOURCES.values(), *DESCRIBED_COLUMNS),
    shell:
        PROGRAM
