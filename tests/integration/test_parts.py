"""Parts of the pipeline by themselves, through the rules: one stage alone, or with what the user brings."""

import sys

import pandas as pd
import polars as pl
import pytest
from tokenizers import Tokenizer

from lib.core.outputs import read_json
from tiny_model import TEXT, join_neighbours
from workspace import Workspace

FEW_STEPS = {"max_steps": 2, "logging_steps": 1, "eval_steps": 1, "save_steps": 2}
TAGGED = "<p>{}</p>\n\n\n　　第{}章　Ｔｅｓｔ  ！！！！"
"""What cleaning would change in every part."""


def scored(workspace: Workspace) -> pd.DataFrame:
    return pd.read_csv(workspace.root / "results" / "evaluation" / "scores.tsv", sep="\t").set_index("model")


@pytest.fixture(scope="module")
def first_stage(untouched: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Stage 1 alone, on a corpus that is clean already, with a tokenizer of the user's own."""
    workspace = untouched.copy(tmp_path_factory.mktemp("first_stage") / "project")
    (workspace.root / "config" / "instructions.tsv").unlink()
    texts = [TAGGED.format(text, number) for number, text in enumerate(TEXT * 3)]
    pl.DataFrame({"text": texts}).write_parquet(workspace.root / "data" / "clean.parquet")
    workspace.write_sheet("corpus", clean="data/clean.parquet")

    own = workspace.root / "data" / "tokenizer"
    own.mkdir()
    base = workspace.root / "data" / "model"
    joined = join_neighbours(Tokenizer.from_file(str(base / "tokenizer.json")), TEXT, 12)
    joined.save(str(own / "tokenizer.json"))
    for name in ("tokenizer_config.json", "chat_template.jinja"):
        (own / name).write_bytes((base / name).read_bytes())

    workspace.configure(
        corpus={"clean": False, "near_duplicates": False, "shards": 1},
        tokenizer={"uri": "data/tokenizer"},
        pretrain=FEW_STEPS,
        sft={"enabled": False},
    )
    workspace.make()
    return workspace


def test_a_cleaned_corpus_is_taken_as_it_is_and_some_is_held_out(first_stage: Workspace) -> None:
    results = first_stage.root / "results" / "corpus"
    parts = {
        split: pl.read_parquet(results / split / "clean" / "*.parquet")["text"] for split in ("train", "validation")
    }
    given = pl.read_parquet(first_stage.root / "data" / "clean.parquet")["text"]
    assert sorted(pl.concat(list(parts.values()))) == sorted(given)
    assert all(map(len, parts.values()))


def test_a_tokenizer_of_ones_own_is_used_as_it_is(first_stage: Workspace) -> None:
    own, used = first_stage.root / "data" / "tokenizer", first_stage.root / "results" / "tokenizer"
    for name in ("tokenizer.json", "chat_template.jinja"):
        assert (used / name).read_bytes() == (own / name).read_bytes()
    given, published = (read_json(directory / "tokenizer_config.json") for directory in (own, used))
    assert {key: published[key] for key in given if key.endswith("_token")} == {
        key: value for key, value in given.items() if key.endswith("_token")
    }
    assert published["tokenizer_class"] == "PreTrainedTokenizerFast"
    size = read_json(used / "manifest.json")["counts"]["base_tokens"]
    new = Tokenizer.from_file(str(own / "tokenizer.json")).get_vocab_size() - size
    assert new > 0
    extended = read_json(first_stage.root / "results" / "extended_model" / "manifest.json")
    assert extended["facts"]["new_token_ids"] == list(range(size, size + new))


def test_stage_1_alone_ends_with_its_model_and_scores_what_there_is(first_stage: Workspace) -> None:
    scores = scored(first_stage)
    assert list(scores.index) == ["base", "extended", "pretrained"]
    assert scores["text_bits_per_character"].notna().all()
    assert scores["response_bits_per_character"].isna().all()
    assert (first_stage.root / "results" / "report.html").is_file()
    assert not list(first_stage.root.glob("results/sft*"))
    assert first_stage.planned() == set()
    assert first_stage.planned("model") == set()
    said = first_stage.run(sys.executable, "scripts/summary.py").output
    assert "The model is in results/pretrain_model;" in said


def test_stage_2_goes_on_from_a_stage_1_model_of_ones_own(first_stage: Workspace, fresh: Workspace) -> None:
    given = fresh.root / "data" / "stage_1"
    given.mkdir()
    for path in (first_stage.root / "results" / "pretrain_model").iterdir():
        if path.name != "manifest.json":
            (given / path.name).write_bytes(path.read_bytes())
    fresh.configure(corpus={"shards": 1}, pretrain={"uri": "data/stage_1"}, sft=FEW_STEPS)
    fresh.make()
    # The corpus is still read, for the text that it holds out.
    assert list(scored(fresh).index) == ["base", "pretrained", "finetuned"]
    assert scored(fresh).notna().all(axis=None)
    made = {path.name for path in (fresh.root / "results").iterdir() if path.is_dir()}
    assert made == {"base_model", "corpus", "evaluation", "pretrain_model", "sft_data", "sft_lora", "sft_model"}
    card = (fresh.root / "results" / "sft_model" / "README.md").read_text(encoding="utf-8")
    assert "- Stage-1 model: `data/stage_1`, made elsewhere\n" in card
    vocabulary = read_json(first_stage.root / "results" / "pretrain_model" / "manifest.json")["counts"]["vocabulary"]
    assert read_json(fresh.root / "results" / "sft_model" / "config.json")["vocab_size"] == vocabulary


def test_stage_2_alone_needs_no_corpus(fresh: Workspace) -> None:
    (fresh.root / "config" / "corpus.tsv").unlink()
    fresh.configure(corpus={"enabled": False}, tokenizer={"new_tokens": 0}, pretrain={"enabled": False}, sft=FEW_STEPS)
    fresh.make()
    scores = scored(fresh)
    assert list(scores.index) == ["base", "finetuned"]
    assert scores["text_bits_per_character"].isna().all()
    assert scores[["response_bits_per_character", "control_bits_per_character"]].notna().all(axis=None)
    assert (fresh.root / "results" / "report.html").is_file()
    card = (fresh.root / "results" / "sft_model" / "README.md").read_text(encoding="utf-8")
    assert "Stage 2" in card
    assert "Stage 1" not in card
    assert fresh.planned() == set()


@pytest.mark.parametrize(
    ("sections", "error"),
    [
        ({"corpus": {"enabled": False}}, "set pretrain.enabled: false"),
        ({"corpus": {"enabled": False}, "pretrain": {"enabled": False}}, "set tokenizer.new_tokens: 0"),
        ({"pretrain": {"max_steps": 0}}, "pretrain.max_steps is 0: nothing would be trained"),
        ({"pretrain": {"uri": "data/nowhere"}}, "settings: pretrain.uri: data/nowhere does not exist"),
    ],
)
def test_a_part_that_lacks_something_says_which_key_to_set(
    fresh: Workspace, sections: dict[str, dict[str, object]], error: str
) -> None:
    fresh.configure(**sections)
    finished = fresh.snakemake("-n")
    assert finished.status != 0
    assert len(finished.errors) == 1
    assert error in finished.errors[0]


def test_a_stage_that_is_off_cannot_be_asked_for(fresh: Workspace) -> None:
    fresh.configure(sft={"enabled": False})
    assert "No rule to produce" in fresh.snakemake("-n", "results/sft_model").output


def test_an_empty_sheet_says_how_to_do_without(fresh: Workspace) -> None:
    (fresh.root / "config" / "instructions.tsv").write_text("name\turi\n", encoding="utf-8")
    (error,) = fresh.snakemake("-n").errors
    assert "add at least one row, or set `enabled: false`" in error
    fresh.configure(sft={"enabled": False})
    assert "pretrain" in fresh.planned("model")
