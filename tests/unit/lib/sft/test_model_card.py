"""The model card quotes scores, lineage and licences, and the hub's own library reads its metadata back."""

import copy
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from lib.settings.corpus import CorpusSettings
from lib.settings.pretrain import PretrainSettings
from lib.settings.sft import SftSettings
from lib.sft.model_card import model_card

STAGE = {
    "counts": {"steps": 9, "best_step": 6, "trainable_parameters": 1_000, "all_parameters": 50_000},
    "settings": SftSettings(rank=8).model_dump(mode="json"),
    "facts": {"precision": "bf16"},
    "seed": 3,
}
LINEAGE: dict[str, dict[str, Any]] = {
    "base_model": {"facts": {"uri": "hf:org/model@main", "license": "mit"}, "counts": {"parameters": 50_000}},
    "corpus": {
        "facts": {
            "licenses": {"novel": "public domain", "news": ""},
            "addresses": {"novel": "data/novel.txt", "news": "hf:org/news@v1/train.parquet"},
        },
        "settings": CorpusSettings().model_dump(mode="json"),
    },
    "tokenizer": {
        "counts": {
            "base_tokens": 400,
            "new_tokens": 30,
            "characters_per_token_base": 0.5,
            "characters_per_token_extended": 1.1,
        }
    },
    "pretrain": STAGE | {"settings": PretrainSettings(include_instructions=True).model_dump(mode="json")},
    "adapter": STAGE,
    "sft_data": {
        "facts": {"sets": ["demo"], "addresses": {"demo": "data/demo.jsonl"}},
        "counts": {"train": 90, "validation": 10},
    },
}
SCORES = (
    "model\ttext_bits_per_character\ttext_characters_per_token\tresponse_bits_per_character\tcontrol_bits_per_character"
    "\nbase\t8.9\t0.5\t7.1\t\na|b\t7.2\t1.1\t6.25\t\n"
)


def written(tmp_path: Path, lineage: dict[str, dict[str, Any]]) -> ModelCard:
    """The card as the hub's library reads it from its file."""
    (tmp_path / "scores.tsv").write_text(SCORES)
    model_card(lineage, tmp_path / "scores.tsv", "Graftline 1.0.0").save(tmp_path / "README.md")
    return ModelCard.load(tmp_path / "README.md")


def test_the_text_gives_scores_and_lineage(tmp_path: Path) -> None:
    text = written(tmp_path, LINEAGE).text
    for part in (
        "| base | 8.9 | 0.5 | 7.1 |\n| a\\|b | 7.2 | 1.1 | 6.25 |",
        "`hf:org/model@main` (50,000 parameters, licence: mit)",
        "- Corpus: novel (licence: public domain)\n- Corpus: news (licence: not stated)\n",
        "400 tokens of the base and 30 new ones; 0.5 → 1.1 characters per token",
        "9 steps, best at step 6; 1,000 of 50,000 parameters trained in bf16; method lora, rank 8, ",
        "seed 3\n- Instructions: demo (90 examples to train on, 10 held out); stage 1 read them, too\n",
        "- Code: Graftline 1.0.0\n",
    ):
        assert part in text, text


def test_a_stage_that_is_worse_than_its_start_says_so(tmp_path: Path) -> None:
    stage = copy.deepcopy(LINEAGE["adapter"])
    stage["counts"] |= {"validation_loss_at_start": 5.9, "best_validation_loss": 40.65}
    stage["facts"]["worse_than_start"] = True
    text = written(tmp_path, LINEAGE | {"adapter": stage}).text
    assert text.count("worse than its start") == 1
    assert (
        "- Stage 2, instruction tuning: 9 steps, best at step 6 (**worse than its start**: validation loss 40.65, 5.9 "
        "before the first step); 1,000 of"
    ) in text


def test_the_metadata_are_read_back(tmp_path: Path) -> None:
    data = written(tmp_path, LINEAGE).data
    assert (data.library_name, data.pipeline_tag) == ("transformers", "text-generation")
    assert (data.license, data.base_model, data.language) == ("mit", "org/model", ["zh"])
    assert data.datasets == ["novel", "org/news", "demo"]
    assert data.model_name == "model fine-tuned"
    found = {(one.dataset_name, one.metric_type): one.metric_value for one in data.eval_results}
    assert found == {
        ("held-out text", "bits_per_character"): 7.2,
        ("held-out text", "characters_per_token"): 1.1,
        ("held-out responses", "bits_per_character"): 6.25,
    }
    assert {one.metric_name for one in data.eval_results} == {
        "bits per character (lower is better)",
        "characters per token (higher is better)",
    }


@pytest.mark.parametrize(
    ("license", "expected"),
    [("apache-2.0", ("apache-2.0", None)), (None, ("unknown", None)), ("Mine, all: mine", ("other", "mine-all-mine"))],
)
def test_licences_as_the_hub_names_them(tmp_path: Path, license: str | None, expected: tuple[str, str | None]) -> None:
    lineage = copy.deepcopy(LINEAGE)
    lineage["base_model"]["facts"]["license"] = license
    data = written(tmp_path, lineage).data
    assert (data.license, data.get("license_name")) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"target_script": "any"}, None),
        ({"target_script": "Greek", "languages": ["auto"]}, ["el"]),
        ({"languages": ["zh", "en"]}, ["zh", "en"]),
    ],
)
def test_languages_of_the_corpus(tmp_path: Path, settings: dict[str, Any], expected: list[str] | None) -> None:
    lineage = copy.deepcopy(LINEAGE)
    lineage["corpus"]["settings"] |= settings
    assert written(tmp_path, lineage).data.language == expected


def test_a_run_may_lack_stages(tmp_path: Path) -> None:
    lineage = {name: LINEAGE[name] for name in ("base_model", "sft_data", "adapter")}
    card = model_card(lineage, None, "unknown")
    assert "Scores" not in card.text
    assert "Corpus" not in card.text
    assert "continued pretraining" not in card.text
    card.save(tmp_path / "README.md")
    assert ModelCard.load(tmp_path / "README.md").data.datasets == ["demo"]


def test_without_held_out_text_the_vocabulary_is_not_measured(tmp_path: Path) -> None:
    counts = {"base_tokens": 400, "new_tokens": 0}
    lineage = {name: LINEAGE[name] for name in ("base_model", "sft_data", "adapter")}
    lineage |= {"tokenizer": {"counts": counts}, "own_stage_1": {"facts": {"uri": "data/mine"}}}
    text = written(tmp_path, lineage).text
    assert "400 tokens of the base and 0 new ones\n- Stage-1 model: `data/mine`, made elsewhere\n- Stage 2" in text


def test_what_data_say_is_text(tmp_path: Path) -> None:
    lineage = copy.deepcopy(LINEAGE)
    lineage["base_model"]["facts"] |= {"license": "x\n---\n<script>", "uri": "a`b: [c]"}
    lineage["corpus"]["facts"]["licenses"]["news"] = "](x) <img src=x> *all* |"
    card = written(tmp_path, lineage)
    assert "<script>" not in card.text
    assert "<img" not in card.text
    assert "\\](x)" in card.text
    assert card.data.base_model == "a`b: [c]"
