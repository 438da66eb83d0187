"""One model scored from files, as the rule runs it."""

import datetime
import gzip
import json
import math
import sys
from pathlib import Path
from typing import Any

import evaluate
import polars as pl
import pytest
import torch
from peft import LoraConfig, get_peft_model

from lib.chat.spans import trained_spans, well_rendered
from lib.core.errors import UserError
from lib.evaluation.items import read_items
from lib.evaluation.scorer import load
from lib.models.loading import load_model, load_tokenizer
from tiny_model import TEXT, make_tiny_model

PROMPTS = ["What did the ferryman count?", "天亮了吗？"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Files of a small run: a base model, an adapter, a corpus of two sources, instructions and a control text."""
    make_tiny_model(tmp_path / "model")
    name_document_tokens(tmp_path / "model", start=[])

    torch.manual_seed(0)
    adapter = get_peft_model(
        load_model(tmp_path / "model"), LoraConfig(task_type="CAUSAL_LM", r=4, init_lora_weights=False)
    )
    adapter.save_pretrained(tmp_path / "adapter")
    (tmp_path / "adapter" / "manifest.json").write_text("{}")

    shards = []
    for source, texts in (("english", TEXT[:7]), ("chinese", TEXT[7:])):
        shard = tmp_path / "corpus" / "validation" / source / "0000.parquet"
        shard.parent.mkdir(parents=True)
        pl.DataFrame({"id": [str(i) for i in range(len(texts))], "text": list(texts)}).write_parquet(shard)
        shards.append(shard.relative_to(tmp_path / "corpus").as_posix())
    facts = {"facts": {"train": [], "validation": shards, "licenses": {}}}
    (tmp_path / "corpus" / "manifest.json").write_text(json.dumps(facts))

    tokenizer = load_tokenizer(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "sft_data" / "tokenizer")
    (tmp_path / "sft_data" / "manifest.json").write_text('{"settings": {"date": "2024-07-26"}}')
    with (tmp_path / "sft_data" / "validation.jsonl").open("w", encoding="utf-8") as file:
        for number, category in enumerate(("reasoning", "writing", "writing")):
            # U+2028 ends a line for str.splitlines, but not in a file of JSON lines.
            messages = [
                {"role": "user", "content": f"题{number}"},
                {"role": "assistant", "content": "答\u2028" * (number + 1)},
            ]
            spans = [{"text": span.text} for span in trained_spans(well_rendered(tokenizer, messages, (), [1]), [1])]
            record = {"id": str(number), "source": "demo", "category": category, "spans": spans}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    (tmp_path / "control.txt").write_text(TEXT[0] + "\n" + TEXT[1])
    return tmp_path


def name_document_tokens(model: Path, start: list[str]) -> None:
    facts = {"document_start": start, "document_end": ["<|endoftext|>"]}
    (model / "manifest.json").write_text(json.dumps({"facts": facts}))


def run_evaluate(results: Path, monkeypatch: pytest.MonkeyPatch, *extra: str, **settings: Any) -> dict[str, Any]:
    output, items = results / "evaluation" / "base.json", results / "evaluation" / "items" / "base.tsv"
    settings = {"prompts": PROMPTS, "max_new_tokens": 8, "precision": "fp32"} | settings
    arguments = ["--settings", json.dumps(settings), "--reading", "{}", "--name", "base"]
    for flag in ("--model", "--base-model"):
        arguments += [flag, str(results / "model" / "manifest.json")]
    arguments += ["--corpus", str(results / "corpus" / "manifest.json")]
    arguments += ["--sft-data", str(results / "sft_data" / "manifest.json"), "--downloads", str(results / "downloads")]
    arguments += ["--scores", str(output), "--measurements", str(items), *extra]
    monkeypatch.setattr(sys, "argv", ["evaluate.py", *arguments])
    evaluate.main()
    return dict(json.loads(output.read_text()))


def naive_bits(directory: Path, prefix: str, text: str) -> float:
    """Bits of the tokens of `text` after those of `prefix`, from one plain forward pass."""
    model, tokenizer = load_model(directory), load_tokenizer(directory)
    given, predicted = (tokenizer.encode(part, add_special_tokens=False) for part in (prefix, text))
    with torch.inference_mode():
        logits = model(torch.tensor([given + predicted])).logits[0].double()
    rows = logits[len(given) - 1 : -1].log_softmax(-1)
    return -float(rows[range(len(predicted)), predicted].sum()) / math.log(2)


def test_text_and_responses_are_scored_per_source_and_category(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_evaluate(results, monkeypatch, "--adapter", "--control", str(results / "control.txt"))
    text, responses, model = result["text"], result["responses"], results / "model"

    assert set(text["parts"]) == {"english", "chinese"}
    assert text["overall"]["characters"] == sum(map(len, TEXT))
    assert text["overall"]["bytes"] == sum(len(document.encode()) for document in TEXT)
    bits = sum(naive_bits(model, "<|endoftext|>", document) for document in TEXT)
    assert text["overall"]["bits_per_character"] == pytest.approx(bits / sum(map(len, TEXT)), abs=1e-4)

    assert set(responses["parts"]) == {"reasoning", "writing"}
    records = [json.loads(line) for line in (results / "sft_data" / "validation.jsonl").open(encoding="utf-8")]
    bits = sum(naive_bits(model, *(span["text"] for span in record["spans"])) for record in records)
    characters = 2 + 4 + 6  # the answers without their end token
    assert responses["overall"]["characters"] == characters
    assert responses["overall"]["bits_per_character"] == pytest.approx(bits / characters, abs=1e-4)

    assert result["control"]["characters"] == len(TEXT[0]) + 1 + len(TEXT[1])
    assert [answer["prompt"] for answer in result["answers"]] == PROMPTS


def test_a_base_that_begins_its_documents_is_scored_behind_that_token(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_document_tokens(results / "model", start=["<|im_start|>"])
    overall = run_evaluate(results, monkeypatch)["text"]["overall"]
    bits = sum(naive_bits(results / "model", "<|im_start|>", document) for document in TEXT)
    assert overall["bits_per_character"] == pytest.approx(bits / sum(map(len, TEXT)), abs=1e-4)


def test_a_base_model_that_writes_todays_date(results: Path) -> None:
    path = results / "model" / "chat_template.jinja"
    path.write_text("{{ strftime_now('%d %b %Y') }}" + path.read_text(encoding="utf-8"), encoding="utf-8")
    chat = load_tokenizer(results / "sft_data" / "tokenizer")
    _, tokenizer = load(results / "model", None, chat, datetime.date(2024, 7, 26))
    rendered = tokenizer.apply_chat_template([{"role": "user", "content": "q"}], tokenize=False)
    assert rendered.startswith("26 Jul 2024<|im_start|>")


def test_the_same_run_gives_the_same_file(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_evaluate(results, monkeypatch)
    first = (results / "evaluation" / "base.json").read_bytes()
    run_evaluate(results, monkeypatch)
    assert (results / "evaluation" / "base.json").read_bytes() == first


def test_an_adapter_is_merged(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run_evaluate(results, monkeypatch)
    adapted = run_evaluate(results, monkeypatch, "--adapter", str(results / "adapter" / "manifest.json"))
    assert adapted["text"]["overall"]["characters"] == plain["text"]["overall"]["characters"]
    assert adapted["text"]["overall"]["bits_per_character"] != plain["text"]["overall"]["bits_per_character"]


def test_without_control_and_prompts_there_is_none_of_them(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_evaluate(results, monkeypatch, "--control", prompts=[])
    assert result["control"] is None
    assert result["answers"] == []


def test_without_a_corpus_responses_and_control_text_are_scored(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run_evaluate(results, monkeypatch, "--corpus", "--control", str(results / "control.txt"))
    assert result["text"] is None
    assert result["responses"]["overall"]["characters"] == 12
    assert result["control"]["characters"] == len(TEXT[0]) + 1 + len(TEXT[1])
    assert "held-out text" not in capsys.readouterr().out


def test_without_instructions_the_runs_tokenizer_has_the_template(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = str(results / "model" / "manifest.json")
    result = run_evaluate(results, monkeypatch, "--sft-data", "--tokenizer", tokenizer)
    assert result["responses"] is None
    assert result["text"]["overall"]["characters"] == sum(map(len, TEXT))
    assert [answer["prompt"] for answer in result["answers"]] == PROMPTS


def test_prompts_are_not_asked_without_a_template(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (results / "model" / "chat_template.jinja").unlink()
    tokenizer = str(results / "model" / "manifest.json")
    assert run_evaluate(results, monkeypatch, "--sft-data", "--tokenizer", tokenizer)["answers"] == []


def test_at_most_so_many_instructions_are_scored(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = run_evaluate(results, monkeypatch, max_instructions=1)["responses"]["overall"]["characters"]
    assert few in (2, 4, 6)


def test_no_held_out_text_is_the_users_to_mend(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (results / "corpus" / "manifest.json").write_text('{"facts": {"validation": []}}')
    with pytest.raises(UserError, match=r"validation_fraction"):
        run_evaluate(results, monkeypatch)
    assert not (results / "evaluation").exists()


def test_a_control_text_that_holds_no_text_is_named(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (results / "control.txt").write_bytes(b"\xff\xfe \0\n\0")
    with pytest.raises(UserError, match=r"evaluation\.control.*control\.txt holds no text"):
        run_evaluate(results, monkeypatch, "--control", str(results / "control.txt"))


def test_prompts_and_control_text_may_be_files_of_any_format(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (results / "control.jsonl.gz").write_bytes(gzip.compress(json.dumps({"text": TEXT[0]}).encode()))
    (results / "prompts.txt").write_text("\n".join(PROMPTS), encoding="gb18030")
    result = run_evaluate(
        results, monkeypatch, "--control", str(results / "control.jsonl.gz"), prompts=str(results / "prompts.txt")
    )
    assert result["control"]["characters"] == len(TEXT[0])
    assert [answer["prompt"] for answer in result["answers"]] == PROMPTS


def test_answers_to_held_out_instructions_are_items(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = results / "sft_data" / "validation.jsonl"
    lines = [json.loads(line) | {"short_answer": True} for line in path.open(encoding="utf-8")]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    result = run_evaluate(results, monkeypatch, answered_instructions=2, answer_tokens=4)
    assert len(result["held_out_answers"]) == 2
    assert {answer["reference"] for answer in result["held_out_answers"]} <= {"答\u2028" * (n + 1) for n in range(3)}
    items = read_items(results / "evaluation" / "items" / "base.tsv")
    counts = items["figure"].value_counts()
    assert counts["text_bits_per_character"] == len(TEXT)
    assert counts["response_bits_per_character"] == 3
    assert counts["answer_chrf"] == counts["answer_exact_match"] == 2
    bits = items[items["figure"] == "text_bits_per_character"]
    figure = bits["amount"].sum() / bits["size"].sum()
    assert figure == pytest.approx(result["text"]["overall"]["bits_per_character"], abs=1e-4)


def test_questions_are_asked(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = results / "questions.csv"
    questions.write_text("id,question,A,B,C,D,answer\n0,谁？,甲,乙,丙,丁,A\n1,何？,甲,乙,丙,丁,B\n", encoding="utf-8")
    run_evaluate(results, monkeypatch, "--sft-data", "--tokenizer", str(results / "model" / "manifest.json"),
                 multiple_choice=str(questions), prompts=[])  # fmt: skip
    counts = read_items(results / "evaluation" / "items" / "base.tsv")["figure"].value_counts()
    assert counts["choice_letter_accuracy"] == counts["choice_text_accuracy"] == 2
