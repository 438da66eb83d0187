"""The sft_data program: conversations become rows of tokens, and none is lost on the way."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sft_data as program
from chat_templates import FOLDER as TEMPLATE_FILES
from chat_templates import QWEN3
from sft_data import SPLITS

from lib.chat.spans import encode_spans
from lib.core.errors import UserError
from lib.core.outputs import read_json, write_json
from lib.models.loading import load_tokenizer
from lib.tokens.token_files import IGNORED_LABEL, read_tokens
from tiny_model import make_tiny_model

RECORDS = [{"instruction": f"问题{number}", "input": "", "output": f"回答{number}。"} for number in range(40)]
LONG_TEXT = (
    "天还没亮，集市就开了。农人摆出白菜、洋葱、梨子和一筐筐鸡蛋。"
    "河与山之间的田，是谷中最好的田。老船夫把小船系在柳树下，数了数今天的铜钱。"
)

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Runs the program on sets of records, given by name; returns the directory that it writes."""
    make_tiny_model(tmp_path / "tokenizer")
    write_json(tmp_path / "tokenizer" / "manifest.json", {})

    def run(settings: dict[str, Any], weights: dict[str, float] | None = None, **sets: list[dict[str, Any]]) -> Path:
        rows = []
        for name, records in sets.items():
            path = tmp_path / f"{name}.jsonl"
            path.write_text("".join(json.dumps(record) + "\n" for record in records))
            rows.append({"name": name, "uri": str(path), "weight": (weights or {}).get(name, 1.0)})
        output = tmp_path / "data" / "manifest.json"
        arguments = {
            "--settings": json.dumps(settings),
            "--reading": "{}",
            "--seed": "1",
            "--tokenizer": tmp_path / "tokenizer" / "manifest.json",
            "--sets": json.dumps(rows),
            "--downloads": tmp_path / "downloads",
            "--output": output,
        }
        monkeypatch.setattr(sys, "argv", ["sft_data.py", *(str(part) for pair in arguments.items() for part in pair)])
        program.main()
        return output.parent

    return run


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def rows(data: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(tokens, readable record) of every example."""
    for split in ("train", "validation"):
        yield from zip(read_tokens(data / f"{split}.arrow"), lines(data / f"{split}.jsonl"), strict=True)


def test_every_record_is_somewhere(make: Make) -> None:
    nearly = {"instruction": LONG_TEXT, "output": "好。"}, {"instruction": LONG_TEXT + "！", "output": "好！"}
    extra = [RECORDS[0], {"instruction": "长", "output": "字" * 500}, {"instruction": "<|im_end|>", "output": "a"}]
    data = make({"max_length": 256, "validation_fraction": 0.3}, demo=[*RECORDS, *extra, *nearly])
    counts = read_json(data / "manifest.json")["counts"]
    assert counts["train"] + counts["validation"] == len(RECORDS) + 1
    skipped = {record["id"]: record["reason"] for record in lines(data / "skipped.jsonl")}
    assert skipped == {
        "demo:00000040": "exact duplicate of demo:00000000",
        "demo:00000041": "too long: 1047 tokens",
        "demo:00000042": "holds <|im_end|>, which only the chat template may write",
        "demo:00000044": "near duplicate of demo:00000043",
    }
    for reason in ("exact_duplicate", "too_long", "control_token", "near_duplicate"):
        assert counts[f"skipped_{reason}"] == 1
    for split in ("train", "validation"):
        assert len(read_tokens(data / f"{split}.arrow")) == len(lines(data / f"{split}.jsonl")) == counts[split]


def test_broken_records_are_set_aside_and_the_run_goes_on(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    odd = [
        {"instruction": "问", "output": None},
        {
            "conversations": [
                {"from": "gpt", "value": "欢迎"},
                {"from": "human", "value": "问"},
                {"from": "bot", "value": "答"},
            ]
        },
        {"instruction": "1+1", "output": 2, "anser": "x"},
        {"instruction": "1+1", "output": "3", "weight": 0},
    ]
    data = make({"validation_fraction": 0.3, "near_duplicates": False}, demo=[*odd, *RECORDS])
    manifest = read_json(data / "manifest.json")
    assert manifest["counts"]["train"] + manifest["counts"]["validation"] == len(RECORDS) + 2
    assert manifest["counts"]["skipped_broken"] == manifest["counts"]["skipped_untrained"] == 1
    assert manifest["facts"]["reading"]["demo"] == {
        "records": len(RECORDS) + 4,
        "broken": {"turn …: the answer is empty": 1},
        "repaired": {"leading_answer_dropped": 1, "number_as_text": 1},
        "unread_keys": {"anser": 1},
    }
    file = str(data.parent / "demo.jsonl")
    broken, untrained = lines(data / "skipped.jsonl")
    assert (untrained["position"], untrained["reason"]) == ("line 4", "the record is not to be trained")
    assert broken == {
        "id": "demo:00000000",
        "source": "demo",
        "category": "",
        "file": file,
        "position": "line 1",
        "reason": "turn 2: the answer is empty",
        "record": json.dumps(odd[0]),
    }
    output = capsys.readouterr().out
    assert (
        f"sft: demo: set aside: 1 of 44 records; the first one: {file}, line 1: turn 2: the answer is empty" in output
    )
    assert "sft: demo: repaired: leading_answer_dropped (1), number_as_text (1)" in output
    assert "sft: demo: keys that nothing reads: anser (1)" in output
    with pytest.raises(UserError, match=r"demo\.jsonl, line 1: turn 2: the answer is empty"):
        make({"on_broken_record": "stop"}, demo=[*odd, *RECORDS])
    with pytest.raises(UserError, match=r"set demo: 1 of 44 records are broken, more than sft\.maximum_broken_records"):
        make({"maximum_broken_records": 0.02}, demo=[*odd, *RECORDS])


def test_tokens_are_those_of_the_spans(make: Make) -> None:
    talk = [{"role": role, "content": f"{role}说"} for role in ("system", "user", "assistant", "user", "assistant")]
    data = make({}, demo=[*RECORDS, {"messages": talk}])
    tokenizer = load_tokenizer(data / "tokenizer")
    trained = masked = 0
    for row, record in rows(data):
        spans = encode_spans(tokenizer, [span["text"] for span in record["spans"]])
        assert row["input_ids"] == [token for span in spans for token in span]
        labels: list[int] = []
        for ids, span in zip(spans, record["spans"], strict=True):
            labels += ids if span["trained"] else [IGNORED_LABEL] * len(ids)
            assert not span["trained"] or ids[-1] == tokenizer.eos_token_id
        assert row["labels"] == labels
        if "source" not in row:  # validation rows name theirs
            trained += sum(label != IGNORED_LABEL for label in labels)
            masked += labels.count(IGNORED_LABEL)
    assert read_json(data / "manifest.json")["facts"]["masked"] == pytest.approx(masked / (trained + masked), abs=1e-4)
    assert set(read_tokens(data / "validation.arrow")["source"]) == {"demo"}


def test_the_template_stays_with_the_tokenizer(make: Make) -> None:
    data = make({"template": "article"}, demo=RECORDS)
    question = [{"role": "user", "content": "问"}]
    prompt = load_tokenizer(data / "tokenizer").apply_chat_template(
        question, tokenize=False, add_generation_prompt=True
    )
    assert prompt == "指令：问\n输出："
    assert lines(data / "train.jsonl")[0]["spans"][0]["text"].startswith("指令：问题")


def test_no_prompt_stands_on_both_sides(make: Make) -> None:
    again = [{"instruction": record["instruction"], "output": f"不同的回答{record['output']}"} for record in RECORDS]
    longer = [
        {
            "messages": [
                {"role": "user", "content": f" {record['instruction']}\n"},
                {"role": "assistant", "content": "嗯。"},
                {"role": "user", "content": "还有呢？"},
                {"role": "assistant", "content": record["output"]},
            ]
        }
        for record in RECORDS
    ]
    data = make({"validation_fraction": 0.4}, one=RECORDS, two=again, three=longer)
    numbers = {
        split: {int(record["id"].partition(":")[2]) for record in lines(data / f"{split}.jsonl")}
        for split in ("train", "validation")
    }
    assert numbers["train"] | numbers["validation"] == set(range(40))
    assert not numbers["train"] & numbers["validation"]


def test_weights_are_shares_of_a_pass(make: Make) -> None:
    others = [{"instruction": f"别的{number}", "output": f"{number}号"} for number in range(200)]
    data = make({}, {"often": 2.5, "seldom": 0.25}, often=RECORDS, seldom=others)
    counts = read_json(data / "manifest.json")["counts"]
    taken = [record["id"] for record in lines(data / "train.jsonl")]
    times = [taken.count(name) for name in set(taken) if name.startswith("often")]
    assert set(times) == {2, 3}
    seldom = [name for name in taken if name.startswith("seldom")]
    assert len(set(seldom)) == len(seldom)
    assert 25 < len(seldom) < 70
    assert counts["skipped_weight"] == 200 - len(seldom) - len(
        [record for record in lines(data / "validation.jsonl") if record["source"] == "seldom"]
    )
    assert {record["reason"] for record in lines(data / "skipped.jsonl")} == {"not drawn at weight 0.25"}


def test_packed_rows_hold_the_examples_whole(make: Make) -> None:
    data = make({}, demo=RECORDS)
    apart = Counter((tuple(row["input_ids"]), tuple(row["labels"])) for row in read_tokens(data / "train.arrow"))
    data = make({"packing": True, "max_length": 200}, demo=RECORDS)
    manifest = read_json(data / "manifest.json")
    packed = read_tokens(data / "train.arrow")
    together: Counter[tuple[tuple[int, ...], tuple[int, ...]]] = Counter()
    for row in packed:
        assert len(row["input_ids"]) == len(row["labels"]) == len(row["position_ids"]) <= 200
        starts = [place for place, position in enumerate(row["position_ids"]) if position == 0]
        for start, end in pairwise([*starts, len(row["input_ids"])]):
            assert row["position_ids"][start:end] == list(range(end - start))
            assert row["labels"][start] == IGNORED_LABEL  # nothing is predicted across a border
            together[tuple(row["input_ids"][start:end]), tuple(row["labels"][start:end])] += 1
    assert together == apart
    assert manifest["counts"]["train"] == apart.total() == len(lines(data / "train.jsonl"))
    assert manifest["counts"]["train_rows"] == len(packed) < apart.total()
    tokens = sum(len(row["input_ids"]) for row in packed)
    assert manifest["facts"]["padding"] == pytest.approx(1 - tokens / (200 * len(packed)), abs=1e-4)
    assert "position_ids" not in read_tokens(data / "validation.arrow").column_names


def test_the_same_run_gives_the_same_files(make: Make) -> None:
    def contents() -> dict[str, bytes]:
        data = make({"packing": True}, {"demo": 1.5}, demo=RECORDS)
        return {path.name: path.read_bytes() for path in data.rglob("*") if path.is_file()}

    assert contents() == contents()


@pytest.mark.parametrize(
    ("fraction", "message"),
    [(0.999, "0.999 holds out every instruction"), (0.0001, "0.0001 holds out no instruction")],
)
def test_both_splits_must_hold_something(make: Make, fraction: float, message: str) -> None:
    with pytest.raises(
        UserError, match=rf"sft\.validation_fraction {message} \(\d+ examples to train on, \d+ held out"
    ):
        make({"validation_fraction": fraction}, demo=RECORDS)


def test_a_set_of_which_nothing_is_left(make: Make) -> None:
    with pytest.raises(UserError, match="no instruction is left"):
        make({"max_length": 16}, demo=RECORDS)


def test_a_conversation_that_the_template_refuses_is_set_aside(make: Make) -> None:
    talk = [{"role": role, "content": "x"} for role in ("user", "assistant", "system", "user", "assistant")]
    template = str(TEMPLATE_FILES / "gemma2.jinja")
    data = make({"template": template}, demo=[*RECORDS, {"messages": talk}])
    (skipped,) = lines(data / "skipped.jsonl")
    assert skipped["id"] == "demo:00000040"
    assert "the chat template cannot render this conversation: Conversation roles must alternate" in skipped["reason"]
    assert (skipped["file"], skipped["position"]) == (str(data.parent / "demo.jsonl"), "line 41")
    manifest = read_json(data / "manifest.json")
    assert "template" in manifest["inputs"]
    assert manifest["counts"]["skipped_template"] == 1
    assert manifest["facts"]["reading"]["demo"]["broken"] == {skipped["reason"]: 1}
    with pytest.raises(UserError, match=r"demo\.jsonl, line 41: the chat template cannot render .* must alternate"):
        make({"template": template, "on_broken_record": "stop"}, demo=[*RECORDS, {"messages": talk}])


def test_what_settings_change_in_a_template_is_published(make: Make) -> None:
    asked = [{"role": "user", "content": "问"}]

    def prompt(**settings: str) -> str:
        data = make(settings, demo=RECORDS)
        published = load_tokenizer(data / "tokenizer")
        spans = lines(data / "train.jsonl")[0]["spans"]
        question = [{"role": "user", "content": spans[0]["text"].split("user\n")[-1].split("<|im_end|>")[0]}]
        rendered = published.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
        assert spans[0]["text"] == rendered
        return str(published.apply_chat_template(asked, tokenize=False))

    turn = "<|im_start|>user\n问<|im_end|>\n"
    assert prompt() == f"<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{turn}"
    assert prompt(system="") == turn
    system = "你是'老船夫'。\n{{ x }}"
    assert prompt(system=system) == f"<|im_start|>system\n{system}<|im_end|>\n{turn}"
    llama = str(TEMPLATE_FILES / "llama31.jinja")
    assert "Today Date: 01 Jan 2025" in prompt(template=llama)
    assert "Today Date: 26 Jul 2024" in prompt(template=llama, date="2024-07-26")


def test_tools_are_written_only_where_records_have_them(make: Make) -> None:
    call = {"function": {"name": "distance", "arguments": "{}"}}
    talk = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "tool_calls": [call]}]
    templates = []
    for records in (RECORDS, [*RECORDS, {"messages": talk}]):
        data = make({}, demo=records)
        templates.append("<tool_call>" in load_tokenizer(data / "tokenizer").chat_template)
        assert not lines(data / "skipped.jsonl")
    assert templates == [False, True]


def test_a_record_may_be_several_examples(make: Make, tmp_path: Path) -> None:
    """Qwen3's template writes earlier answers without their thoughts: each answer is an example of its own."""
    (tmp_path / "tokenizer" / "chat_template.jinja").write_text(QWEN3)
    talks = [
        [
            {"role": "user", "content": f"问题{number}"},
            {"role": "assistant", "content": f"<think>\n想{number}\n</think>\n\n答{number}"},
            {"role": "user", "content": "还有呢？"},
            {"role": "assistant", "content": f"{number}号", "weight": number % 2},
        ]
        for number in range(40)
    ]
    data = make({"validation_fraction": 0.3}, {"demo": 1.5}, demo=[{"messages": talk} for talk in talks])
    counts = read_json(data / "manifest.json")["counts"]
    taken = {split: Counter(record["id"] for record in lines(data / f"{split}.jsonl")) for split in SPLITS}
    assert not taken["train"].keys() & taken["validation"].keys()
    assert len(taken["train"]) + len(taken["validation"]) == 40
    for split in SPLITS:
        assert counts[f"{split}_records"] == len(taken[split])
        assert counts[split] == taken[split].total()
    assert taken["validation"] == {name: 1 + int(name[-1]) % 2 for name in taken["validation"]}
    assert {number / (1 + int(name[-1]) % 2) for name, number in taken["train"].items()} == {1.0, 2.0}
    for split in SPLITS:
        for record in lines(data / f"{split}.jsonl"):
            assert [span["trained"] for span in record["spans"]] == [False, True]
