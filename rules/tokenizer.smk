"""The base vocabulary, continued on the training text, and the base model with rows for the new tokens.

in   results/base_model/, results/corpus/{train,validation}/, tokenizer.words, results/sft_data/ if stage 1 reads it
out  results/tokenizer/, results/extended_model/
"""

import json

from lib.chat.known_templates import written_tokens
from lib.settings.tokenizer import InitializationSettings, VocabularySettings

# Without a corpus, new rows are fitted on the instructions.
READS_INSTRUCTIONS = SETTINGS.pretrain.include_instructions or not SETTINGS.corpus.enabled


rule tokenizer:
    """Learn new tokens from the training text and add them to the base tokenizer."""
    input:
        base_model="results/base_model/manifest.json",
        corpus=MADE["corpus"],
        # Read by way of the settings, where they are named.
        own=INPUTS.files["tokenizer.uri"],
        words=INPUTS.files["tokenizer.words"],
    output:
        manifest="results/tokenizer/manifest.json",
    conda:
        "../envs/training.yaml"
    threads: 2
    resources:
        gpu=0,
    params:
        **program("tokenizer"),
        settings=to_json(SETTINGS.tokenizer, VocabularySettings),
        # What the chat template of stage 2 needs in the vocabulary.
        control_tokens=json.dumps([*written_tokens(SETTINGS.sft.template), *SETTINGS.sft.control_tokens]),
    shell:
        "python {params.program:q} --settings {params.settings:q} --base-model {input.base_model:q}"
        " --corpus {input.corpus:q} --control-tokens {params.control_tokens:q} --downloads work/downloads"
        " --output {output.manifest:q} 2>&1 | tee -i {log:q}"


rule extended_model:
    """Give the base model a row of input and output weights for every new token."""
    input:
        base_model="results/base_model/manifest.json",
        tokenizer="results/tokenizer/manifest.json",
        corpus=MADE["corpus"],
        sft_data=MADE["sft_data"] if READS_INSTRUCTIONS else [],
    output:
        manifest="results/extended_model/manifest.json",
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        gpu=ONE_GPU,
    params:
        **program("extended_model"),
        settings=to_json(SETTINGS.tokenizer, InitializationSettings),
        seed=SETTINGS.seed,
        gpu=lambda wildcards, resources: resources.gpu,
    shell:
        "python {params.program:q} --settings {params.settings:q} --seed {params.seed} --gpu {params.gpu}"
        " --base-model {input.base_model:q} --tokenizer {input.tokenizer:q} --corpus {input.corpus:q}"
        " --sft-data {input.sft_data:q} --output {output.manifest:q} 2>&1 | tee -i {log:q}"
