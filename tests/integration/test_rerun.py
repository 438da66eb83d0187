"""What a change makes again: the jobs that it concerns and what follows from them, nothing else."""

import ast
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from documented_outputs import undocumented
from workspace import Workspace, change_a_constant

SOURCES = ("stories", "letters")
SHARDS = ("0000", "0001")


def per_source(rule: str, *sources: str) -> set[str]:
    return {f"{rule} source={source}" for source in sources or SOURCES}


def per_shard(rule: str, *sources: str) -> set[str]:
    return {f"{rule} source={source}, shard={shard}" for source in sources or SOURCES for shard in SHARDS}


def evaluations(*models: str) -> set[str]:
    return {f"evaluate model={model}" for model in models}


# Every stage's jobs with all that follows from them, from the last to the first.
REPORT = {"report"}
MODEL = {"sft_model"}
SCORES = {"scores"} | MODEL | REPORT
EVALUATION = evaluations("base", "extended", "pretrained", "finetuned") | SCORES
SFT = {"sft"} | MODEL | evaluations("finetuned") | SCORES
PRETRAIN = {"pretrain", "pretrain_model"} | evaluations("pretrained") | SFT
PRETRAIN_DATA = {"pretrain_data"} | PRETRAIN
PRETRAIN_TOKENS = per_shard("pretrain_tokens") | PRETRAIN_DATA
TOKENIZER = {"tokenizer", "extended_model", "sft_data"} | EVALUATION | PRETRAIN_TOKENS
CORPUS = {"corpus", "data_card"} | TOKENIZER
SHARED_LINES = per_source("shared_lines") | per_shard("split") | CORPUS
DUPLICATES = per_source("deduplicate") | per_source("mix") | SHARED_LINES
CLEAN = per_shard("clean") | DUPLICATES
# Of the last source alone, which no other one hangs on.
LETTERS_CLEAN = set().union(
    *(per_source(rule, "letters") for rule in ("deduplicate", "shared_lines", "mix")),
    *(per_shard(rule, "letters") for rule in ("clean", "split")),
)
FETCH = per_source("fetch") | CLEAN
EVERYTHING = {"base_model"} | FETCH


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("lib/corpus/reading/documents.py", FETCH),
        ("lib/corpus/cleaning/clean.py", CLEAN),
        ("lib/tokenizer/continued_bpe.py", TOKENIZER),
        ("lib/tokens/blocks.py", PRETRAIN_DATA),
        ("lib/training/train.py", PRETRAIN),
        ("lib/evaluation/scoring.py", EVALUATION),
        ("lib/report/charts.py", REPORT),
        ("lib/core/program.py", EVERYTHING),
        ("sft_data.py", {"sft_data"} | EVALUATION | SFT),
        ("chat.py", set()),
    ],
)
def test_changed_code_makes_what_uses_it(done: Workspace, module: str, expected: set[str]) -> None:
    change_a_constant(done.root / "scripts" / module)
    assert done.planned() == expected


def comment(text: str) -> str:
    return f"# A new first line.\n{text}\n# And a last one.\n"


def document(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                first.value = ast.Constant("Other words.")
            else:
                node.body.insert(0, ast.Expr(ast.Constant("New words.")))
    return ast.unparse(tree)


def reformat(text: str) -> str:
    return ast.unparse(ast.parse(text))


@pytest.mark.parametrize("change", [comment, document, reformat])
def test_how_code_is_written_makes_nothing(done: Workspace, change: Callable[[str], str]) -> None:
    for path in (done.root / "scripts").rglob("*.py"):
        old = path.read_text(encoding="utf-8")
        new = change(old)
        assert not old or new != old
        path.write_text(new, encoding="utf-8")
    assert done.planned() == set()


@pytest.mark.fault
def test_a_touch_of_every_file_makes_nothing(done: Workspace) -> None:
    for path in sorted(done.root.rglob("*"), reverse=True):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path)
    assert done.planned() == set()


def test_a_fresh_checkout_beside_the_results_makes_nothing(done: Workspace, tmp_path: Path) -> None:
    left_by_runs = ("results", "logs", "benchmarks", "work", ".snakemake")
    clone = tmp_path / "clone"
    shutil.copytree(done.root, clone, ignore=shutil.ignore_patterns(*left_by_runs), copy_function=shutil.copyfile)
    for name in left_by_runs:
        shutil.move(done.root / name, clone / name)
    assert Workspace(clone).planned() == set()


@pytest.mark.parametrize(
    ("section", "values", "expected"),
    [
        ("pretrain", {"learning_rate": 0.02}, PRETRAIN | REPORT),
        ("pretrain", {"logging_steps": 10, "save_steps": 30, "max_minutes": 5}, REPORT),
        ("pretrain", {"block_size": 16}, PRETRAIN_DATA),
        ("sft", {"learning_rate": 0.02}, SFT),
        ("tokenizer", {"initialization": "random"}, {"extended_model"} | evaluations("extended") | PRETRAIN),
        ("corpus", {"minimum_length": 21}, CLEAN),
        ("corpus", {"near_duplicate_ngram": 4}, CLEAN),
        ("corpus", {"near_duplicate_similarity": 0.9}, DUPLICATES),
        ("corpus", {"shared_line_share": 0.5}, SHARED_LINES),
        ("evaluation", {"max_characters": 300}, EVALUATION),
    ],
)
def test_a_changed_setting_makes_what_reads_it(
    done: Workspace, section: str, values: dict[str, object], expected: set[str]
) -> None:
    done.configure(**{section: values})
    assert done.planned() == expected


def test_a_weight_makes_what_follows_from_splitting_its_source(done: Workspace) -> None:
    rows = "stories\tdata/stories.jsonl\t\nletters\tdata/letters.jsonl\t2\n"
    (done.root / "config" / "corpus.tsv").write_text(f"name\turi\tweight\n{rows}", encoding="utf-8")
    assert done.planned() == per_source("mix", "letters") | per_shard("split", "letters") | CORPUS


def lengthened(source: Path, target: Path) -> None:
    """Write `source` with one more document."""
    more = '{"text": "信里又多了一页，写的是去年冬天在雪地里走失的那一只羊。"}\n'
    target.write_text(source.read_text(encoding="utf-8") + more, encoding="utf-8")


def test_a_changed_first_source_leaves_the_shards_of_the_other_alone(done: Workspace) -> None:
    lengthened(done.root / "data" / "stories.jsonl", done.root / "data" / "tales.jsonl")
    done.write_sheet("corpus", stories="data/tales.jsonl", letters="data/letters.jsonl")
    # What is a duplicate in the second source hangs on the first one.
    theirs = per_source("fetch", "stories") | per_shard("clean", "stories")
    assert done.planned() == theirs | DUPLICATES


def test_a_changed_last_source_leaves_all_of_the_other_alone(done: Workspace) -> None:
    lengthened(done.root / "data" / "letters.jsonl", done.root / "data" / "notes.jsonl")
    done.write_sheet("corpus", stories="data/stories.jsonl", letters="data/notes.jsonl")
    assert done.planned() == per_source("fetch", "letters") | LETTERS_CLEAN | CORPUS


def test_what_has_moved_and_is_the_same_trains_nothing(done: Workspace) -> None:
    data = done.root / "data"
    (data / "moved").mkdir()
    for name in ("letters", "instructions"):
        shutil.copyfile(data / f"{name}.jsonl", data / "moved" / f"{name}.jsonl")
    shutil.copytree(data / "model", data / "moved" / "model", copy_function=shutil.copyfile)
    done.write_sheet("corpus", stories="data/stories.jsonl", letters="data/moved/letters.jsonl")
    done.write_sheet("instructions", questions="data/moved/instructions.jsonl")
    done.configure(base_model={"uri": "data/moved/model"})
    results = done.root / "results"
    before = {path: path.read_bytes() for path in results.glob("*/manifest.json")}
    assert done.planned() == {"data_card"} | MODEL | REPORT
    done.make()
    assert {path: path.read_bytes() for path in before if path.parent.name != "sft_model"}.items() <= before.items()
    card = (results / "sft_model" / "README.md").read_text(encoding="utf-8")
    assert "data/moved/model" in card
    assert "data/moved/letters.jsonl" in (results / "corpus" / "README.md").read_text(encoding="utf-8")
    assert done.planned() == set()


def test_a_setting_of_one_source_makes_what_follows_from_cleaning_it(done: Workspace) -> None:
    rows = "stories\tdata/stories.jsonl\t\nletters\tdata/letters.jsonl\t21\n"
    (done.root / "config" / "corpus.tsv").write_text(f"name\turi\tminimum_length\n{rows}", encoding="utf-8")
    assert done.planned() == LETTERS_CLEAN | CORPUS


def test_decontamination_checks_every_source_against_what_is_held_out(done: Workspace) -> None:
    done.configure(corpus={"decontaminate": True})
    assert done.planned() == {"held_out"} | per_shard("decontaminate") | CORPUS
    done.make("results/corpus/manifest.json")
    assert undocumented(done.root / "results") == []
    with (done.root / "data" / "instructions.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"instruction": "说一个词", "output": "灯塔"}\n')
    assert done.planned() == {"held_out"} | per_shard("decontaminate") | CORPUS


def test_changed_text_of_a_source_is_fetched_again(done: Workspace) -> None:
    lengthened(done.root / "data" / "letters.jsonl", done.root / "data" / "letters.jsonl")
    planned = done.planned()
    assert per_source("fetch", "letters") <= planned
    assert not planned & (per_source("fetch", "stories") | per_shard("split", "stories") | {"base_model"})
