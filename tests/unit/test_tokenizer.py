"""The tokenizer program: from a corpus manifest to a Hugging Face tokenizer directory."""

import json
import sys
from pathlib import Path

import polars as pl
import pytest
import tokenizer as program
from tokenizers import Tokenizer
from transformers import AutoConfig

from lib.core.errors import UserError
from lib.core.outputs import read_json, sha256_file, write_json
from lib.models.loading import load_tokenizer
from lib.models.tokenizer_files import TOKENIZER_FILES
from lib.settings.tokenizer import VocabularySettings
from tiny_families import cut_like_qwen2
from tiny_model import make_tiny_model

TEXT = "却说刘备、关羽、张飞三人在桃园结义，誓同生死，共图大事。" * 20


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with a base model and a corpus of two documents."""
    make_tiny_model(tmp_path / "base_model")
    write_json(tmp_path / "base_model" / "manifest.json", {})
    corpus = tmp_path / "corpus"
    shards = {split: f"{split}/novel/0000.parquet" for split in ("train", "validation")}
    for shard in shards.values():
        (corpus / shard).parent.mkdir(parents=True)
        pl.DataFrame({"id": ["novel:0"], "text": [TEXT]}).write_parquet(corpus / shard)
    write_json(corpus / "manifest.json", {"facts": {split: [shard] for split, shard in shards.items()}})
    return tmp_path


def execute(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, settings: str, control_tokens: str = "[]", budget: str = "{}"
) -> Path:
    output = inputs / "tokenizer" / "manifest.json"
    arguments = {
        "--settings": settings,
        "--base-model": inputs / "base_model" / "manifest.json",
        "--corpus": inputs / "corpus" / "manifest.json",
        "--control-tokens": control_tokens,
        "--budget": budget,
        "--output": output,
    }
    monkeypatch.setattr(sys, "argv", ["tokenizer.py", *(str(part) for pair in arguments.items() for part in pair)])
    program.main()
    return output


def test_directory_loads_as_a_hugging_face_tokenizer(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = execute(inputs, monkeypatch, '{"new_tokens": 20}')
    counts = read_json(output)["counts"]
    assert counts["new_tokens"] == 20
    assert counts["characters_per_token_extended"] > 1.4 * counts["characters_per_token_base"]
    base, extended = load_tokenizer(inputs / "base_model"), load_tokenizer(output.parent)
    assert len(extended) == len(base) + 20
    assert extended.chat_template == base.chat_template
    assert (extended.eos_token, extended.pad_token) == (base.eos_token, base.pad_token)
    ids = extended.encode(TEXT, add_special_tokens=False)
    assert extended.decode(ids) == TEXT
    assert ids == Tokenizer.from_file(str(output.parent / "tokenizer.json")).encode(TEXT).ids


def test_two_runs_are_identical(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sha256_file(execute(inputs, monkeypatch, '{"new_tokens": 20}'))
    assert sha256_file(execute(inputs, monkeypatch, '{"new_tokens": 20}')) == first


def test_no_new_tokens_passes_the_base_through(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = execute(inputs, monkeypatch, '{"new_tokens": 0}')
    for name in TOKENIZER_FILES:
        if (inputs / "base_model" / name).exists():
            assert sha256_file(output.parent / name) == sha256_file(inputs / "base_model" / name)


NAMES = ("刘备", "曹操", "孙权", "关羽", "张飞", "诸葛", "赵云", "周瑜", "吕布", "董卓")


@pytest.mark.parametrize(
    ("budget", "reads"),
    [
        ('{"tokens": 400}', "stage 1 reads 400 tokens of text"),
        ('{"passes": 0.5}', "stage 1 reads the text 0.5 times"),
        ('{"characters": 250}', "rows are fitted on 250 characters"),
    ],
)
def test_as_many_new_tokens_as_the_budget_allows(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, budget: str, reads: str, capfd: pytest.CaptureFixture[str]
) -> None:
    text = "".join(f"{name}，" * (4 * number) for number, name in enumerate(NAMES, 1))
    pl.DataFrame({"id": ["novel:0"], "text": [text]}).write_parquet(inputs / "corpus/train/novel/0000.parquet")
    output = execute(
        inputs, monkeypatch, '{"new_tokens": "auto", "minimum_seen": 9, "leading_marks": false}', budget=budget
    )
    learned = [name for name in NAMES if len(load_tokenizer(output.parent).tokenize(name)) == 1]
    assert 0 < len(learned) < len(NAMES)
    assert learned == list(NAMES[-len(learned) :])
    report = read_json(output.parent / "report.json")
    assert report["why_so_many"].startswith(f"{reads} and would see the next one ")
    assert report["why_so_many"] == read_json(output)["facts"]["why_so_many"]
    assert f"tokenizer: auto: {report['new_tokens']} new tokens: {reads}" in capfd.readouterr().out


def test_a_budget_that_allows_no_new_token_leaves_the_base_as_it_is(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    output = execute(inputs, monkeypatch, '{"new_tokens": "auto"}', budget='{"tokens": 20}')
    for name in TOKENIZER_FILES:
        if (inputs / "base_model" / name).exists():
            assert sha256_file(output.parent / name) == sha256_file(inputs / "base_model" / name)
    assert "tokenizer: auto: 0 new tokens: stage 1 reads 20 tokens of text" in capfd.readouterr().out
    assert "(tokenizer.minimum_seen 20)" in read_json(output.parent / "report.json")["why_so_many"]


def test_control_tokens_of_a_template_are_added(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are special tokens behind all others, also where nothing is learned; those that are there stay."""
    for new_tokens in (0, 20):
        wanted = ["<|im_end|>", "<|turn|>", "<|end_of_turn|>"]
        output = execute(inputs, monkeypatch, json.dumps({"new_tokens": new_tokens}), json.dumps(wanted))
        base, extended = load_tokenizer(inputs / "base_model"), load_tokenizer(output.parent)
        assert len(extended) == len(base) + new_tokens + 2
        assert extended.chat_template == base.chat_template
        ids = extended.encode("<|im_end|>a<|turn|><|end_of_turn|>", add_special_tokens=False)
        assert [extended.decode([number]) for number in ids] == ["<|im_end|>", "a", "<|turn|>", "<|end_of_turn|>"]
        assert set(wanted) <= {token.content for token in extended.added_tokens_decoder.values() if token.special}


def test_text_without_a_pair_to_merge(inputs: Path) -> None:
    base = Tokenizer.from_file(str(inputs / "base_model" / "tokenizer.json"))
    with pytest.raises(UserError, match="holds no pair of tokens"):
        program.learned(base, [["plain English"]], VocabularySettings(new_tokens=10), {})


def test_report_lies_beside_the_tokenizer(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = execute(inputs, monkeypatch, '{"new_tokens": 20}')
    rows = pl.read_csv(output.with_name("report.tsv"), separator="\t")
    assert rows["source"].to_list() == ["novel", "novel", "all", "all"]
    counts, report = read_json(output)["counts"], read_json(output.with_name("report.json"))
    assert rows["characters_per_token"].to_list()[-2:] == [
        counts["characters_per_token_base"],
        counts["characters_per_token_extended"],
    ]
    assert report["new_tokens_used"] == counts["new_tokens_used"]


def test_words_of_the_user(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inputs / "words.txt").write_text("桃园结义\nGPT-4\n", encoding="utf-8")
    for new_tokens in (0, 20):
        settings = json.dumps({"new_tokens": new_tokens, "words": str(inputs / "words.txt")})
        output = execute(inputs, monkeypatch, settings)
        tokenizer = load_tokenizer(output.parent)
        text = "三人桃园结义，说GPT-4。"
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert {"桃园结义", "GPT-4"} <= {tokenizer.decode([number]) for number in ids}
        assert tokenizer.decode(ids) == text
        assert set(read_json(output)["inputs"]) == {"base_model", "corpus", "words"}


def test_words_that_the_base_models_class_would_not_read(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers builds Qwen 2's tokenizer for every model of that type, without the way that terms are cut out."""
    base = inputs / "base_model"
    AutoConfig.for_model("qwen2").save_pretrained(base)
    cut_like_qwen2(base)
    held_out = pl.DataFrame({"id": ["novel:0"], "text": ["老船夫把小船系在柳树下，数了数今天的铜钱。"]})
    held_out.write_parquet(inputs / "corpus" / "validation" / "novel" / "0000.parquet")
    (inputs / "words.txt").write_text("在柳\n", encoding="utf-8")  # the base joins characters across its edges
    settings = {"new_tokens": 0, "words": str(inputs / "words.txt")}
    with pytest.raises(UserError, match=r"makes a Qwen2Tokenizer of this tokenizer.*tokenizer\.words"):
        execute(inputs, monkeypatch, json.dumps(settings))
    assert not (inputs / "tokenizer").exists()
    assert execute(inputs, monkeypatch, '{"new_tokens": 20}').is_file()


@pytest.mark.parametrize("goal", ['"new_tokens": 20', '"new_tokens": 200, "characters_per_token": 0.9'])
def test_size_of_the_vocabulary_as_a_multiple(inputs: Path, monkeypatch: pytest.MonkeyPatch, goal: str) -> None:
    output = execute(inputs, monkeypatch, f'{{{goal}, "vocabulary_multiple": 64}}')
    assert len(load_tokenizer(output.parent)) == 448
    assert read_json(output)["counts"]["new_tokens"] == 48


def test_base_without_template_and_pad_token(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = inputs / "base_model"
    (directory / "chat_template.jinja").unlink()
    config = read_json(directory / "tokenizer_config.json")
    write_json(directory / "tokenizer_config.json", config | {"pad_token": config["eos_token"]})
    untouched = load_tokenizer(execute(inputs, monkeypatch, '{"new_tokens": 0}').parent)
    assert untouched.chat_template is None
    extended = load_tokenizer(execute(inputs, monkeypatch, '{"new_tokens": 20}').parent)
    assert extended.pad_token not in (None, extended.eos_token)
    rendered = extended.apply_chat_template([{"role": "user", "content": "你好"}], tokenize=False)
    assert "你好<|im_end|>" in rendered


def test_slow_and_fast_ways_to_load_agree(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = execute(inputs, monkeypatch, '{"new_tokens": 20}')
    extended = load_tokenizer(output.parent)
    extended.save_pretrained(inputs / "saved")
    texts = [TEXT, "Hello  world\n 🙂 e\u0301 𠀀 한글 слово 123", "<|im_start|>user\n刘备<|im_end|>"]
    for text in texts:
        ids = Tokenizer.from_file(str(output.parent / "tokenizer.json")).encode(text, add_special_tokens=False).ids
        assert extended.encode(text, add_special_tokens=False) == ids
        assert load_tokenizer(inputs / "saved").encode(text, add_special_tokens=False) == ids
