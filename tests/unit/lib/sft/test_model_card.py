"""The model card quotes scores, lineage and licences."""

from pathlib import Path

from lib.settings.pretrain import PretrainSettings
from lib.settings.sft import SftSettings
from lib.sft.model_card import model_card

STAGE = {
    "counts": {"steps": 9, "best_step": 6, "trainable_parameters": 1_000, "all_parameters": 50_000},
    "settings": SftSettings(rank=8).model_dump(mode="json"),
    "facts": {"precision": "bf16"},
    "seed": 3,
}
LINEAGE = {
    "base_model": {"facts": {"uri": "hf:org/model@main", "license": "mit"}, "counts": {"parameters": 50_000}},
    "corpus": {"facts": {"licenses": {"novel": "public domain", "news": ""}}},
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
    "sft_data": {"facts": {"sets": ["demo"]}, "counts": {"train": 90, "validation": 10}},
}


def test_card(tmp_path: Path) -> None:
    (tmp_path / "scores.tsv").write_text("model\tbits\nbase\t8.9\na|b\t7.2\n")
    card = model_card(LINEAGE, tmp_path / "scores.tsv")
    assert card.startswith("---\nlibrary_name: transformers\n")
    for part in (
        "| base | 8.9 |\n| a\\|b | 7.2 |",
        "`hf:org/model@main` (50,000 parameters, licence: mit)",
        "novel (public domain); news (licence not stated)",
        "400 tokens of the base and 30 new ones; 0.5 → 1.1 characters per token",
        "9 steps, best at step 6; 1,000 of 50,000 parameters trained in bf16; rank 8, ",
        "demo (90 examples to train on, 10 held out); stage 1 read them, too",
    ):
        assert part in card
