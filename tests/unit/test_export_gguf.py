"""The program that writes GGUF: the file, the Modelfile and the manifest, or one line with the reason."""

import json
import sys
from pathlib import Path

import export_gguf
import polars as pl
import pytest
from tokenizers import Tokenizer, pre_tokenizers

from lib.core.errors import UserError
from lib.core.outputs import read_json, write_json
from tiny_model import TEXT, make_tiny_model


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results of a run with a finished model, a corpus of one source and held-out instructions."""
    make_tiny_model(tmp_path / "sft_model")
    (tmp_path / "sft_model" / "README.md").write_text("---\nmodel_name: tiny\nlicense: cc0-1.0\n---\n")
    write_json(tmp_path / "sft_model" / "manifest.json", {})
    shard = tmp_path / "corpus" / "validation" / "stories" / "0000.parquet"
    shard.parent.mkdir(parents=True)
    pl.DataFrame({"id": list(map(str, range(len(TEXT)))), "text": TEXT}).write_parquet(shard)
    facts = {"validation": ["validation/stories/0000.parquet"], "train": []}
    write_json(tmp_path / "corpus" / "manifest.json", {"facts": facts})
    (tmp_path / "sft_data").mkdir()
    write_json(tmp_path / "sft_data" / "manifest.json", {})
    prompt = "<|im_start|>user\n谁住在山里？<|im_end|>\n<|im_start|>assistant\n"
    spans = [{"text": prompt, "trained": False}, {"text": "我。<|im_end|>", "trained": True}]
    (tmp_path / "sft_data" / "validation.jsonl").write_text(json.dumps({"spans": spans}) + "\n", encoding="utf-8")
    return tmp_path


def export(results: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    output = results / "export" / "gguf-f16"
    flags = {"corpus": results / "corpus" / "manifest.json", "sft-data": results / "sft_data" / "manifest.json"}
    flags |= {"model": results / "sft_model", "output": output / "manifest.json"}
    words = [str(word) for name, value in flags.items() for word in (f"--{name}", value)]
    monkeypatch.setattr(sys, "argv", ["export_gguf.py", "--type", "f16", "--settings", "{}", *words])
    export_gguf.main()
    return output


def test_a_model_is_written_and_compared(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = export(results, monkeypatch)
    assert sorted(path.name for path in output.iterdir()) == [
        "Modelfile",
        "made_with.json",
        "manifest.json",
        "model-f16.gguf",
    ]
    counts = read_json(output / "manifest.json")["counts"]
    assert counts["lines_compared"] == len(TEXT)
    assert counts["conversations_compared"] == 1
    assert counts["answer_tokens_same"] == counts["answer_tokens_compared"] > 0
    assert (output / "Modelfile").read_text(encoding="utf-8").startswith('FROM ./model-f16.gguf\nTEMPLATE """')


def test_a_model_that_is_refused_leaves_nothing(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(results / "sft_model" / "tokenizer.json")
    tokenizer = Tokenizer.from_file(path)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.save(path)
    with pytest.raises(UserError, match="knows no pre-tokenizer"):
        export(results, monkeypatch)
    assert list((results / "export").iterdir()) == []
