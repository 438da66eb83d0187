"""Experiments: the points of `sweep` in the settings, each trained and scored like a run, and what they tell.

in   results/base_model/, results/corpus/, and of results/{tokenizer,extended_model,pretrain_data,…} what points share
out  results/sweep/: a folder by stage, rungN.json, table.tsv, importance.tsv, sweep.svg, report.html, best.yaml
"""


wildcard_constraints:
    key=KEY,


use rule tokenizer as sweep_tokenizer with:
    output:
        output="results/sweep/tokenizer/{key}/manifest.json",
    params:
        settings=lambda wildcards, output: to_json(
            SWEEP.of("tokenizer", wildcards.key).settings.tokenizer, tokenizer.VocabularySettings
        ),
        watched=lambda wildcards: to_json(
            INPUTS.settings(SWEEP.of("tokenizer", wildcards.key).settings.tokenizer, "tokenizer.uri"),
            tokenizer.VocabularySettings,
        ),
        # With `auto`, as much text as the run itself trains on decides.
        budget=lambda wildcards: json.dumps(
            budget_of_new_tokens(
                SETTINGS.model_copy(update={"tokenizer": SWEEP.of("tokenizer", wildcards.key).settings.tokenizer})
            )
        ),


use rule extended_model as sweep_extended_model with:
    input:
        base_model="results/base_model/manifest.json",
        tokenizer=lambda wildcards: SWEEP.path("extended_model", wildcards.key, "tokenizer"),
        corpus=MADE["corpus"],
        sft_data=lambda wildcards: SWEEP.instructions("extended_model", wildcards.key),
    output:
        output="results/sweep/extended_model/{key}/manifest.json",
    params:
        settings=lambda wildcards: to_json(
            SWEEP.of("extended_model", wildcards.key).settings.tokenizer, tokenizer.InitializationSettings
        ),


if SETTINGS.trains_stage_1:

    use rule pretrain_tokens as sweep_pretrain_tokens with:
        input:
            train=f"results/corpus/{SETTINGS.corpus.training_folder}/{{source}}/{{shard}}.parquet",
            validation="results/corpus/validation/{source}/{shard}.parquet",
            tokenizer=lambda wildcards: SWEEP.path("pretrain_tokens", wildcards.key, "tokenizer"),
        output:
            train_output="results/sweep/pretrain_tokens/{key}/train/{source}/{shard}.arrow",
            validation_output="results/sweep/pretrain_tokens/{key}/validation/{source}/{shard}.arrow",

    use rule pretrain_data as sweep_pretrain_data with:
        input:
            lambda wildcards: [
                f"{SWEEP.folder('pretrain_data', wildcards.key, 'pretrain_tokens')}/{split}/{source}/{shard}.arrow"
                for split in ("train", "validation")
                for source in CORPUS_SOURCES
                for shard in SHARDS
            ],
            corpus="results/corpus/manifest.json",
            tokenizer=lambda wildcards: SWEEP.path("pretrain_data", wildcards.key, "tokenizer"),
            base_model="results/base_model/manifest.json",
            sft_data=lambda wildcards: SWEEP.instructions("pretrain_data", wildcards.key),
        output:
            output="results/sweep/pretrain_data/{key}/manifest.json",
        params:
            settings=lambda wildcards: to_json(
                SWEEP.of("pretrain_data", wildcards.key).settings.pretrain, pretrain.PackingSettings
            ),
            tokens=lambda wildcards: SWEEP.folder("pretrain_data", wildcards.key, "pretrain_tokens"),
            replay=lambda wildcards: json.dumps(
                replay_shares(CORPUS_SOURCES, SWEEP.of("pretrain_data", wildcards.key).settings.pretrain.replay)
            ),

    # What trains and scores a point of a rung does not know its point when the plan is made, so its files are parameters.
    use rule pretrain as sweep_pretrain with:
        input:
            lambda wildcards: SWEEP.inputs("pretrain_lora", wildcards.key, "extended_model", "pretrain_data"),
        output:
            output="results/sweep/pretrain_lora/{key}/manifest.json",
        params:
            **program_of_point("pretrain"),
            settings=lambda wildcards, input: SWEEP.training("pretrain_lora", wildcards.key),
            seed=lambda wildcards, input: SWEEP.of("pretrain_lora", wildcards.key).settings.seed,
            work="work/sweep",
            model=lambda wildcards, input: SWEEP.path("pretrain_lora", wildcards.key, "extended_model"),
            data=lambda wildcards, input: SWEEP.path("pretrain_lora", wildcards.key, "pretrain_data"),

    use rule pretrain_model as sweep_pretrain_model with:
        input:
            lambda wildcards: SWEEP.inputs("pretrain_model", wildcards.key, "extended_model", "pretrain_lora"),
        output:
            output="results/sweep/pretrain_model/{key}/manifest.json",
        params:
            **program_of_point("pretrain_model"),
            model=lambda wildcards, input: SWEEP.path("pretrain_model", wildcards.key, "extended_model"),
            adapter=lambda wildcards, input: SWEEP.path("pretrain_model", wildcards.key, "pretrain_lora"),


if SETTINGS.sft.enabled:

    use rule sft_data as sweep_sft_data with:
        input:
            INPUTS.named("sft.sources", "sft.template"),
            tokenizer=lambda wildcards: SWEEP.path("sft_data", wildcards.key, SWEEP.vocabulary),
        output:
            output="results/sweep/sft_data/{key}/manifest.json",
        params:
            settings=lambda wildcards: to_json(
                SWEEP.of("sft_data", wildcards.key).settings.sft, sft.InstructionSettings
            ),

    use rule sft as sweep_sft with:
        input:
            lambda wildcards: SWEEP.inputs("sft_lora", wildcards.key, *SWEEP.start_of_stage_2, "sft_data"),
        output:
            output="results/sweep/sft_lora/{key}/manifest.json",
        params:
            **program_of_point("sft"),
            settings=lambda wildcards, input: SWEEP.training("sft_lora", wildcards.key),
            seed=lambda wildcards, input: SWEEP.of("sft_lora", wildcards.key).settings.seed,
            work="work/sweep",
            model=lambda wildcards, input: SWEEP.path("sft_lora", wildcards.key, SWEEP.start_of_stage_2[0]),
            adapter=lambda wildcards, input: [
                SWEEP.path("sft_lora", wildcards.key, stage) for stage in SWEEP.start_of_stage_2[1:]
            ],
            data=lambda wildcards, input: SWEEP.path("sft_lora", wildcards.key, "sft_data"),


use rule evaluate as sweep_evaluate with:
    input:
        INPUTS.named("evaluation.control"),
        lambda wildcards: SWEEP.inputs("evaluation", wildcards.key, *SWEEP.scored, SWEEP.vocabulary, *SWEEP.scored_data),
        base_model="results/base_model/manifest.json",
        corpus=MADE["corpus"],
    output:
        scores="results/sweep/evaluation/{key}.json",
        measurements="results/sweep/evaluation/{key}.tsv",
    params:
        **program_of_point("evaluate"),
        name=SWEEP.model,
        settings=SWEEP.scoring(),
        unnamed=INPUTS.others("evaluation.control"),
        model=lambda wildcards, input: SWEEP.path("evaluation", wildcards.key, SWEEP.scored[0]),
        adapter=lambda wildcards, input: SWEEP.path("evaluation", wildcards.key, SWEEP.scored[1]),
        tokenizer=lambda wildcards, input: SWEEP.path("evaluation", wildcards.key, SWEEP.vocabulary),
        sft_data=lambda wildcards, input: [
            SWEEP.path("evaluation", wildcards.key, stage) for stage in SWEEP.scored_data
        ],


rule sweep_rung:
    """Decide which points go on to a rung of successive halving, by the scores of the rung before."""
    input:
        lambda wildcards: SWEEP.files(int(wildcards.rung) - 1),
    output:
        output="results/sweep/rung{rung,[0-9]+}.json",
    conda:
        "../envs/report.yaml"
    params:
        **program("sweep_rung"),
        points=SWEEP.changes,
        members=lambda wildcards: SWEEP.described(int(wildcards.rung) - 1),
        candidates=lambda wildcards: SWEEP.candidates(int(wildcards.rung)),
        slots=lambda wildcards: SWEEP.slots(int(wildcards.rung)),
        metric=SETTINGS.sweep.metric,
    shell:
        PROGRAM


rule sweep:
    """Put all points into one table, one picture and one page, and the best one into a settings file."""
    input:
        lambda wildcards: [file for rung in SWEEP.all_rungs for file in SWEEP.files(rung)],
    output:
        table="results/sweep/table.tsv",
        importance="results/sweep/importance.tsv",
        picture="results/sweep/sweep.svg",
        page="results/sweep/report.html",
        best="results/sweep/best.yaml",
    conda:
        "../envs/report.yaml"
    params:
        **program("sweep"),
        points=SWEEP.changes,
        members=lambda wildcards: [member for rung in SWEEP.all_rungs for member in SWEEP.described(rung)],
        metric=SETTINGS.sweep.metric,
        name=RUN or "demo",
    shell:
        PROGRAM
