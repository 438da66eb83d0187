"""From raw text and instructions to a chat model that stands alone."""

import csv
import html
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from documented_outputs import outdated, undocumented
from lib.core.outputs import read_json
from lib.evaluation.items import read_items
from lib.report.training import read_log
from lib.runs.following import Follower
from lib.runs.settings_files import read_settings
from lib.settings.evaluation import FIGURES
from workspace import PROJECT, SETTINGS, Workspace

HARNESS = PROJECT / ".venv-lm-eval"
TASK = """
task: stories
dataset_path: csv
dataset_kwargs: {data_files: {validation: data/tasks/stories.csv}}
validation_split: validation
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{[A, B]}}"
doc_to_target: "{{['A', 'B'].index(answer)}}"
metric_list: [{metric: acc}]
"""

MODELS = ["base", "extended", "pretrained", "finetuned"]
TITLES = dict(
    zip(MODELS, ["base model", "new tokens, untrained", "after pretraining", "after fine-tuning"], strict=True)
)
DIRECTORIES = ["base_model", "corpus", "tokenizer", "extended_model", "pretrain_data", "pretrain_lora"]
DIRECTORIES += ["pretrain_model", "sft_data", "sft_lora", "sft_model"]

# Runs where nothing of this project can be imported; writes what it saw as JSON.
LOAD = """
import importlib.util, json, sys, warnings

assert importlib.util.find_spec("lib") is None
from transformers import AutoModelForCausalLM, AutoTokenizer

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    question = tokenizer.apply_chat_template(
        [{"role": "user", "content": "谁住在山里？"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = model.generate(**question, max_new_tokens=4)
print(json.dumps({
    "warnings": [str(warning.message) for warning in caught],
    "sizes": [
        len(tokenizer), model.config.vocab_size,
        model.get_input_embeddings().weight.shape[0], model.get_output_embeddings().weight.shape[0],
    ],
    "prompt": tokenizer.decode(question["input_ids"][0]),
    "new_tokens": answer.shape[1] - question["input_ids"].shape[1],
    "end": model.generation_config.eos_token_id,
    "eos": tokenizer.eos_token_id,
}))
"""


def test_a_finished_run_can_be_followed_to_its_end(finished: Workspace) -> None:
    settings = read_settings([finished.root / "config" / "demo.yaml"])
    look = Follower(finished.root, "", settings).look()
    assert look is not None
    assert (look.state, look.seconds_left, look.done) == ("finished", 0, len(look.plan.jobs))
    scored = [job for job in look.plan.jobs if job.rule == "evaluate"]
    assert {job.benchmark for job in scored} == {f"benchmarks/evaluate/{model}.tsv" for model in MODELS}
    scores = next(job for job in look.plan.jobs if job.rule == "scores")
    assert set(scores.needs) == {look.plan.jobs.index(job) for job in scored}
    # The lines that training printed, against what it published.
    for stage in ("pretrain", "sft"):
        live, published = look.trainings[stage], read_log(finished.root / "results" / f"{stage}_lora/trainer_log.tsv")
        assert (live.step, live.steps) == (SETTINGS[stage]["max_steps"],) * 2
        for column in ("loss", "eval_loss"):
            points = published.dropna(subset=[column])
            shown = live.log.dropna(subset=[column])
            assert shown["step"].tolist() == points["step"].tolist() != []
            assert shown[column].tolist() == pytest.approx(points[column].tolist(), abs=1e-4)


def test_the_model_loads_alone_without_a_warning(finished: Workspace, tmp_path: Path) -> None:
    elsewhere = Workspace(tmp_path)
    loaded = elsewhere.run(
        *(sys.executable, "-I", "-c", LOAD, finished.root / "results" / "sft_model"), HF_HUB_DISABLE_PROGRESS_BARS="1"
    )
    assert loaded.status == 0, loaded.output
    report = re.sub(r"Loading weights:[^\n]*", "", loaded.output.replace("\r", "\n")).strip()
    assert report.count("\n") == 0, report  # the JSON line: the libraries have logged nothing
    seen = json.loads(report)
    assert seen["warnings"] == []
    assert len(set(seen["sizes"])) == 1
    assert seen["prompt"].endswith("<|im_start|>user\n谁住在山里？<|im_end|>\n<|im_start|>assistant\n")
    assert seen["new_tokens"] >= 1
    assert seen["end"] == seen["eos"]


def test_the_table_of_scores_is_complete(finished: Workspace) -> None:
    with (finished.root / "results" / "evaluation" / "scores.tsv").open(encoding="utf-8") as file:
        rows = {row.pop("model"): row for row in csv.DictReader(file, delimiter="\t")}
    assert list(rows) == MODELS
    for row in rows.values():
        assert all(0 < float(value) < 50 for key, value in row.items() if "bits_per" in key), row
    text, response = (
        {model: float(row[f"{what}_bits_per_character"]) for model, row in rows.items()}
        for what in ("text", "response")
    )
    assert text["pretrained"] < text["extended"]
    assert response["finetuned"] < response["pretrained"]


def test_the_figures_of_the_report_are_those_of_the_items(finished: Workspace) -> None:
    """Added up by hand from what was measured on each text, response and answer."""
    evaluation = finished.root / "results" / "evaluation"
    report = (finished.root / "results" / "report.html").read_text(encoding="utf-8")
    by_hand = {model: added_up(evaluation / "items" / f"{model}.tsv", "figure") for model in MODELS}
    titles = {name: figure.title for name, figure in FIGURES.items()}
    bits = [f"{what}_bits_per_character" for what in ("text", "response", "control")]

    scores = shown(report, "Scores of every model")
    assert [row[0] for row in scores] == list(TITLES.values())
    for model, (_, *cells, ratio) in zip(MODELS, scores, strict=True):
        assert numbers(cells) == close(by_hand[model][name] for name in bits)
        text = read_json(evaluation / f"{model}.json")["text"]["overall"]
        assert numbers([ratio]) == close([text["characters"] / text["tokens"]])

    others = {row[0]: row[1:] for row in shown(report, "Answers and questions")}
    answered = [model for model in MODELS if "answer_chrf" in by_hand[model]]
    assert answered == ["base", "pretrained", "finetuned"]
    assert others.keys() == {titles[name] for name in by_hand["base"].keys() - {*bits}}
    for name in by_hand["base"].keys() - {*bits}:
        assert numbers(others[titles[name]]) == close(by_hand[model][name] for model in answered)

    changes = {row[0]: row[1:] for row in shown(report, "Changes against the base model")}
    assert len(changes) == len(by_hand["base"])
    with (evaluation / "differences.tsv").open(encoding="utf-8") as file:
        rows = {
            (row["model"], row["figure"]): row
            for row in csv.DictReader(file, delimiter="\t")
            if row["against"] == "base"
        }
    in_tiles = re.findall(r'class="tile"><b>([^<]*)</b>', report)
    for name, before in by_hand["base"].items():
        model = "pretrained" if name == "text_bits_per_character" else "finetuned"
        change, bounds, verdict = changes[f"{titles[name]} {TITLES[model]}"]
        difference = by_hand[model][name] - before
        if name in bits:
            difference *= 100 / before
            assert change in in_tiles
        (shown_change,) = signed_numbers(change)
        assert shown_change == pytest.approx(difference, abs=0.06 if name in bits else 2e-3)
        row = rows[model, name]
        kind = "percent" if name in bits else "difference"
        ends = [float(row[f"{kind}_{end}"]) for end in ("low", "high") if row[f"{kind}_{end}"]]
        assert signed_numbers(bounds) == pytest.approx(ends, abs=0.06)
        assert verdict == row["verdict"]

    for label, name in (("Held-out text by source", bits[0]), ("Responses by category", bits[1])):
        parts = [added_up(evaluation / "items" / f"{model}.tsv", "part", name) for model in MODELS]
        table = {part if part != "not stated" else "": cells for part, _, *cells in shown(report, label)}
        assert table.keys() == parts[0].keys()
        for part, cells in table.items():
            assert numbers(cells) == close(of_model[part] for of_model in parts)


def added_up(items: Path, key: str, figure: str | None = None) -> dict[str, float]:
    """Amounts over sizes of the items of each `key`, or of those of one figure."""
    amounts: dict[str, float] = defaultdict(float)
    sizes: dict[str, float] = defaultdict(float)
    with items.open(encoding="utf-8") as file:
        for item in csv.DictReader(file, delimiter="\t"):
            if figure in (None, item["figure"]):
                amounts[item[key]] += float(item["amount"])
                sizes[item[key]] += float(item["size"])
    return {name: amounts[name] / sizes[name] for name in amounts}


def shown(report: str, label: str) -> list[list[str]]:
    """The cells of a table of the page, without what is in small print."""
    table = report.partition(f'aria-label="{label}"')[2].partition("</table>")[0].partition("<tbody>")[2]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in table.split("</tr>")]
    return [
        [html.unescape(re.sub(r"<small>.*?</small>|<[^>]*>", "", cell)).strip() for cell in row] for row in rows if row
    ]


def numbers(cells: Iterable[str]) -> list[float]:
    return [float(cell.replace(",", "")) for cell in cells]


def signed_numbers(cell: str) -> list[float]:
    """The numbers of a cell that have a sign, as changes have."""
    return [float(number.replace("−", "-")) for number in re.findall(r"[−+][\d.]+", cell)]


def close(values: Iterable[float]) -> Any:
    """The values, as far as a table that rounds to three decimals can tell."""
    return pytest.approx(list(values), abs=6e-4)


def test_the_model_card_gives_lineage_and_figures(finished: Workspace) -> None:
    card = (finished.root / "results" / "sft_model" / "README.md").read_text(encoding="utf-8")
    for part in ("data/model", "stories", "letters", "questions", *MODELS, "bits"):
        assert part in card, part


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_every_directory_has_a_manifest_of_what_lies_in_it(finished: Workspace, directory: str) -> None:
    folder = finished.root / "results" / directory
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["files"]
    for name, described in manifest["files"].items():
        assert (folder / name).stat().st_size == described["bytes"], name
    if directory != "corpus":  # which also keeps the shards of its steps
        assert manifest["files"].keys() | {"manifest.json", "made_with.json"} == visible_files(folder)
    assert str(finished.root) not in json.dumps(manifest)


def visible_files(folder: Path) -> set[str]:
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in names if not name.startswith(".")}


def test_duplicates_of_the_source_above_go_and_nothing_else(finished: Workspace) -> None:
    corpus = finished.root / "results" / "corpus"
    duplicates = pl.read_parquet(corpus / "duplicates" / "letters.parquet")
    assert len(duplicates) == 11
    assert duplicates["duplicate_of"].str.starts_with("stories").sum() == 10
    assert len(pl.read_parquet(corpus / "duplicates" / "stories.parquet")) == 0
    texts = [
        text
        for split in ("train", "validation")
        for source in ("stories", "letters")
        for shard in ("0000", "0001")
        for text in pl.read_parquet(corpus / split / source / f"{shard}.parquet")["text"]
    ]
    assert len(texts) == len(set(texts)) == 40 + 30


def test_the_new_tokens_are_there(finished: Workspace) -> None:
    manifest = json.loads((finished.root / "results" / "tokenizer" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["counts"]["new_tokens"] == SETTINGS["tokenizer"]["new_tokens"]
    assert manifest["counts"]["characters_per_token_extended"] > manifest["counts"]["characters_per_token_base"]


def test_the_models_folder_holds_nothing_of_snakemake(finished: Workspace) -> None:
    assert not list((finished.root / "results" / "sft_model").glob(".*"))


def test_a_figure_that_misses_its_bound_ends_the_run_after_all_is_written(done: Workspace) -> None:
    bound = 'evaluation={{"require": {{"response_bits_per_character": {{"maximum": {}}}}}}}'
    missed = done.snakemake("--config", bound.format(0.1), "--", "model")
    assert missed.status != 0
    assert "error: evaluation.require: response_bits_per_character of finetuned is" in missed.output
    assert "maximum is 0.1" in missed.output
    assert (done.root / "results" / "sft_model" / "model.safetensors").is_file()
    assert "1 bounds are met" in done.make("--config", bound.format(50), "--", "model")


def test_a_second_run_has_nothing_to_do(finished: Workspace) -> None:
    assert "Nothing to be done" in finished.make("results/sft_model")
    assert "Nothing to be done" in finished.make()


def test_every_job_leaves_its_log_and_its_benchmark(finished: Workspace) -> None:
    plan = finished.make("-n", "--forceall")
    paths = re.findall(r"^ +(?:log|benchmark): (\S+)$", plan, re.MULTILINE)
    assert len(paths) == 2 * len(finished.planned("--forceall"))
    for path in paths:
        text = (finished.root / path).read_text(encoding="utf-8")
        assert text.strip(), path


def test_docs_describe_every_file_and_column_and_no_others(finished: Workspace) -> None:
    assert undocumented(finished.root / "results") == []
    assert outdated(finished.root / "results") == []


def test_nothing_temporary_is_left(finished: Workspace) -> None:
    assert not [path for path in finished.root.rglob("*") if "partial" in path.name]
    assert not [path for path in (finished.root / "work").rglob("*") if path.is_file()]


def test_the_report_is_one_page_by_itself(finished: Workspace) -> None:
    page = (finished.root / "results" / "report.html").read_text(encoding="utf-8")
    assert "fine-tuned" in page
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page)
    assert str(finished.root) not in page


def test_the_summary_ends_the_run(finished: Workspace) -> None:
    summary = finished.run(sys.executable, "scripts/summary.py")
    assert summary.status == 0, summary.output
    assert "make chat" in summary.output
    assert "make report" in summary.output


@pytest.mark.slow
def test_lm_eval_measures_a_local_task(done: Workspace, tmp_path: Path) -> None:
    assert (HARNESS / "lm_eval").is_dir(), f"`make {HARNESS.name}/.installed` installs lm-eval"
    tasks = done.root / "data" / "tasks"
    tasks.mkdir()
    (tasks / "stories.csv").write_text("question,A,B,answer\n谁住在山里？,老船夫,小木匠,A\n谁卖豆腐？,大娘,邮差,A\n")
    (tasks / "stories.yaml").write_text(TASK, encoding="utf-8")
    (done.root / "harness.yaml").write_text("evaluation: {lm_eval: [stories], lm_eval_tasks: data/tasks}\n")
    target = "results/evaluation/lm_eval/finetuned.tsv"
    # A run by name works in a folder of its own, and takes over the model.
    settings = ("--configfile", "config/demo.yaml", "harness.yaml")
    command = (sys.executable, "-m", "snakemake", "--cores", "2", *settings, "--", target)
    finished = done.run(*command, PYTHONPATH=str(HARNESS), HF_HOME=str(tmp_path / "cache"))
    assert finished.status == 0, finished.output
    assert finished.output.count("rule lm_eval_tasks:") == 1
    items = read_items(done.root / "runs" / "harness" / target)
    assert items["figure"].tolist() == ["lm_eval.stories.acc"] * 2
    assert items["document"].tolist() == ["stories:0", "stories:1"]
    assert set(items["amount"]) <= {0.0, 1.0}
