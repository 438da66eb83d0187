"""What a user gets wrong ends with one clear line, a status that says so, and no half-written results."""

import json
import shutil
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from warm_start import Started
from workspace import Finished, Workspace, instructions, with_options, write_jsonl

Commands = dict[str, list[str]]


def fails_clearly(workspace: Workspace, *arguments: str, names: tuple[str, ...]) -> Finished:
    """Run Snakemake, which must fail with one line that holds all of `names`."""
    finished = workspace.snakemake(*arguments)
    is_clear(finished, names)
    assert not [path for path in workspace.root.rglob("*") if "partial" in path.name]
    return finished


def is_clear(finished: Finished, names: tuple[str, ...]) -> None:
    """What ended must have failed with one line that holds all of `names`."""
    assert finished.status != 0, finished.output
    assert len(finished.errors) == 1, finished.output
    for name in names:
        assert name in finished.errors[0], finished.errors[0]
    assert "Traceback" not in finished.output, finished.output


@pytest.mark.parametrize(
    ("section", "values", "names"),
    [
        ("pretrain", {"learning_rat": 1}, ("pretrain.learning_rat", "nearest", "pretrain.learning_rate")),
        ("pretrani", {"max_steps": 1}, ("pretrani", "nearest", "pretrain")),
        ("pretrain", {"max_steps": "many"}, ("pretrain.max_steps", '"many"')),
        ("pretrain", {"rank": 0}, ("pretrain.rank is 0", "greater than or equal to 1")),
        ("pretrain", {"method": "full", "quantization": "4bit"}, ("pretrain", "method: full", "4bit weights")),
        ("sft", {"template": "alpaca"}, ('sft.template is "alpaca"', "'base'", "'chatml'", "'article'")),
        ("sft", {"template": "data/none.jinja"}, ("sft.template", "data/none.jinja", "does not exist")),
        ("corpus", {"validation_fraction": 2}, ("corpus.validation_fraction", "less than 1")),
        ("corpus", {"sources": "config/none.tsv"}, ("config/none.tsv", "does not exist")),
        ("base_model", {"uri": "data/none.gguf"}, ("base_model.uri", "data/none.gguf", "does not exist")),
        ("base_model", {"uri": "ftp://example.org/model"}, ("base_model.uri", "ftp:", "known forms")),
        ("tokenizer", {"words": "data/none.txt"}, ("tokenizer.words", "data/none.txt", "does not exist")),
        ("evaluation", {"control": "data/none.txt"}, ("evaluation.control", "data/none.txt", "does not exist")),
    ],
)
@pytest.mark.fault
def test_settings(fresh: Workspace, section: str, values: Mapping[str, Any], names: tuple[str, ...]) -> None:
    fresh.configure(**{section: values})
    fails_clearly(fresh, names=names)
    assert fresh.files() == set()


def test_a_base_model_of_another_family(fresh: Workspace) -> None:
    (fresh.root / "data" / "model" / "config.json").write_text('{"model_type": "mixtral"}', encoding="utf-8")
    fails_clearly(fresh, names=("base_model.uri", "data/model/config.json", "'mixtral' are not supported"))
    assert fresh.files() == set()


@pytest.mark.fault
def test_a_project_in_a_folder_with_braces(untouched: Workspace, tmp_path: Path) -> None:
    odd = untouched.copy(tmp_path / "'quoted' $(touch y) {x}")
    fails_clearly(odd, "-n", names=("$(touch y) {x}: ", "braces", "move the project"))


@pytest.mark.parametrize("sheet", ["corpus", "instructions"])
@pytest.mark.fault
def test_a_missing_file_in_a_sheet(fresh: Workspace, sheet: str) -> None:
    fresh.write_sheet(sheet, known="data/none.jsonl")
    fails_clearly(fresh, names=(f"config/{sheet}.tsv", "data/none.jsonl", "does not exist"))
    assert fresh.files() == set()


@pytest.mark.parametrize("sheet", ["corpus", "instructions"])
@pytest.mark.fault
def test_a_name_that_stands_twice(fresh: Workspace, sheet: str) -> None:
    rows = "name\turi\nletters\tdata/letters.jsonl\nletters\tdata/stories.jsonl\n"
    (fresh.root / "config" / f"{sheet}.tsv").write_text(rows, encoding="utf-8")
    fails_clearly(fresh, names=(f"config/{sheet}.tsv, line 3", "'letters'", "twice"))
    assert fresh.files() == set()


def test_a_setting_of_one_source_that_is_wrong(fresh: Workspace) -> None:
    rows = "name\turi\tminimum_length\nstories\tdata/stories.jsonl\t\nletters\tdata/letters.jsonl\tfew\n"
    (fresh.root / "config" / "corpus.tsv").write_text(rows, encoding="utf-8")
    fails_clearly(fresh, names=("config/corpus.tsv, line 3: minimum_length", '"few"', "integer"))
    assert fresh.files() == set()


@pytest.mark.fault
def test_an_address_that_cannot_be_reached(fresh: Workspace) -> None:
    fresh.write_sheet("corpus", far="https://127.0.0.1:1/text.jsonl")
    fails_clearly(fresh, "results/corpus/raw/far.json", names=("https://127.0.0.1:1/text.jsonl", "cannot be reached"))
    assert fresh.files() == set()


@pytest.mark.fault
def test_text_with_another_checksum(fresh: Workspace) -> None:
    row = f"stories\tdata/stories.jsonl\t{'0' * 64}\n"
    (fresh.root / "config" / "corpus.tsv").write_text(f"name\turi\tsha256\n{row}", encoding="utf-8")
    fails_clearly(fresh, "results/corpus/raw/stories.json", names=("data/stories.jsonl", "sha256", "0" * 64))
    assert fresh.files() == set()


@pytest.mark.fault
def test_text_with_broken_json(fresh: Workspace) -> None:
    break_line(fresh.root / "data" / "stories.jsonl", 17)
    fresh.configure(corpus={"on_broken_record": "stop"})
    fails_clearly(fresh, "results/corpus/raw/stories.json", names=("data/stories.jsonl, line 17", "broken JSON"))
    assert fresh.files() == set()


@pytest.mark.fault
def test_a_base_model_with_another_checksum(fresh: Workspace) -> None:
    write_gguf(fresh.root / "data" / "tiny.gguf")
    fresh.configure(base_model={"uri": "data/tiny.gguf", "sha256": "0" * 64})
    fails_clearly(fresh, "results/base_model/manifest.json", names=("data/tiny.gguf", "sha256", "0" * 64))
    assert fresh.files() == set()


@pytest.mark.fault
def test_a_gguf_that_is_cut_off(fresh: Workspace) -> None:
    path = fresh.root / "data" / "tiny.gguf"
    write_gguf(path)
    path.write_bytes(path.read_bytes()[:-1000])
    fresh.configure(base_model={"uri": "data/tiny.gguf"})
    fails_clearly(fresh, "results/base_model/manifest.json", names=("data/tiny.gguf", "cut off"))
    assert fresh.files() == set()


def test_instructions_with_broken_json(done: Workspace) -> None:
    break_line(done.root / "data" / "instructions.jsonl", 23)
    done.configure(sft={"on_broken_record": "stop"})
    shutil.rmtree(done.root / "results" / "sft_data")
    before = done.files()
    fails_clearly(done, "results/sft_data/manifest.json", names=("data/instructions.jsonl, line 23", "broken JSON"))
    assert done.files() == before


@pytest.mark.fault
def test_a_corpus_of_which_nothing_survives_cleaning(fresh: Workspace) -> None:
    fresh.configure(corpus={"minimum_length": 100_000})
    fails_clearly(
        fresh, "results/corpus/manifest.json", names=("nothing survives cleaning", "corpus.minimum_length", "100000")
    )
    whole = {"manifest.json", "summary.tsv"}
    assert not {f"results/corpus/{name}" for name in whole} & fresh.files()


def program_fails_clearly(
    workspace: Workspace, folder: Path, command: Sequence[str], names: tuple[str, ...], **options: Any
) -> None:
    """Run a program that writes into `folder`, which must fail with one line that holds all of `names`."""
    options["output"] = folder / "output" / "manifest.json"
    if "--nodes" in command:  # it trains
        options["work"] = folder / "work"
    with Started(workspace, with_options(command, **options)) as started:
        is_clear(started.wait(), names)
    assert not [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("record", "names"),
    [
        (
            {"topic": "谁？", "text": "我。"},
            ("none of the keys messages, conversations, instruction;", "found: text, topic"),
        ),
        ({"instruction": "谁？", "input": ""}, ("no 'output'", "found: input, instruction")),
        ({"instruction": "谁？", "output": " \n"}, ("the answer is empty",)),
    ],
)
def test_an_instruction_that_cannot_be_learned(
    finished: Workspace, commands: Commands, tmp_path: Path, record: dict[str, str], names: tuple[str, ...]
) -> None:
    path = tmp_path / "questions.jsonl"
    write_jsonl(path, chain(instructions(40), [record]))
    sets = json.dumps([{"name": "questions", "uri": str(path)}])
    place, settings = f"{path}, line 41: ", {"on_broken_record": "stop"}
    program_fails_clearly(
        finished, tmp_path / "made", commands["sft_data"], (place, *names), sets=sets, settings=settings
    )


@pytest.mark.fault
def test_a_validation_split_that_takes_everything(finished: Workspace, commands: Commands, tmp_path: Path) -> None:
    names = ("sft.validation_fraction 0.9999 holds out every instruction", "0 examples to train on, 40 held out")
    changes = {"validation_fraction": 0.9999}
    program_fails_clearly(finished, tmp_path, commands["sft_data"], names, settings=changes)


@pytest.mark.fault
def test_layers_that_the_model_does_not_have(finished: Workspace, commands: Commands, tmp_path: Path) -> None:
    names = ("pretrain.target_modules names 'query'", "down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj")
    changes = {"target_modules": ["q_proj", "query"]}
    program_fails_clearly(finished, tmp_path, commands["pretrain"], names, settings=changes)


def test_blocks_with_more_tokens_than_the_model_has_positions(
    finished: Workspace, commands: Commands, tmp_path: Path
) -> None:
    data, changes = tmp_path / "data" / "manifest.json", {"block_size": 513}
    with Started(finished, with_options(commands["pretrain_data"], settings=changes, output=data)) as packing:
        assert packing.wait().status == 0, packing.lines
    names = ("pretrain.block_size let in 513 tokens", "the model has 512 positions", "lower pretrain.block_size")
    program_fails_clearly(finished, tmp_path / "made", commands["pretrain"], names, settings=changes, data=data)


@pytest.mark.parametrize("stage", ["pretrain", "sft"])
@pytest.mark.fault
def test_a_gpu_that_is_not_there(
    finished: Workspace, commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    names = ("gpu is 1", "no GPU can be used here", "set gpu to 0")
    program_fails_clearly(finished, tmp_path, commands[stage], names, gpu="1")


def break_line(path: Path, number: int) -> None:
    """Cut a line of a file of JSON lines in half."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert json.loads(lines[number - 1])
    lines[number - 1] = lines[number - 1][: len(lines[number - 1]) // 2] + "\n"
    path.write_text("".join(lines), encoding="utf-8")


def write_gguf(path: Path) -> None:
    """A GGUF file that is sound as a file, with one tensor."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_tensor("token_embd.weight", np.ones((400, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
