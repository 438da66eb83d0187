"""The base vocabulary, continued on the training text, and the base model with rows for the new tokens.

in   results/base_model/, results/corpus/{train,validation}/, tokenizer.words, results/sft_data/ if stage 1 reads it
out  results/tokenizer/, results/extended_model/
"""


rule tokenizer:
    """Learn new tokens from the training text and add them to the base tokenizer."""
    input:
        INPUTS.named("tokenizer.uri", "tokenizer.words"),
        base_model="results/base_model/manifest.json",
        corpus=MADE["corpus"],
    output:
        output="results/tokenizer/manifest.json",
    conda:
        "../envs/training.yaml"
    threads: 2
    params:
        **program("tokenizer"),
        # Another address that brings the same is no change: what is computed from outputs is not watched.
        settings=lambda wildcards, output: to_json(SETTINGS.tokenizer, tokenizer.VocabularySettings),
        watched=lambda wildcards: to_json(
            INPUTS.settings(SETTINGS.tokenizer, "tokenizer.uri"), tokenizer.VocabularySettings
        ),
        # What the chat template of stage 2 needs in the vocabulary.
        control_tokens=json.dumps([*written_tokens(SETTINGS.sft.template), *SETTINGS.sft.control_tokens]),
        budget=json.dumps(budget_of_new_tokens(SETTINGS)),
        unnamed=INPUTS.others("tokenizer.uri", "tokenizer.words"),
    shell:
        PROGRAM


rule extended_model:
    """Give the base model a row of input and output weights for every new token."""
    input:
        base_model="results/base_model/manifest.json",
        tokenizer="results/tokenizer/manifest.json",
        corpus=MADE["corpus"],
        # Without a corpus, new rows are fitted on the instructions.
        sft_data=MADE["sft_data"] if SETTINGS.pretrain.include_instructions or not SETTINGS.corpus.enabled else [],
    output:
        output="results/extended_model/manifest.json",
    # Before anything else that is ready with it: training waits for it.
    priority: 1
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        gpu=ONE_GPU,
        mem_mb=to_compute(ONE_GPU),
    params:
        **program("extended_model"),
        settings=to_json(SETTINGS.tokenizer, tokenizer.InitializationSettings),
        seed=SETTINGS.seed,
        gpu=lambda wildcards, resources: resources.gpu,
    shell:
        PROGRAM
