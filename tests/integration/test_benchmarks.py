"""Our side of the benchmarks runs: what they call has the options that they give. Peers and real text are left out."""

import json
import sys
from pathlib import Path

import pytest

from lib.core.manifest import write_manifest
from tiny_model import TEXT, make_tiny_model
from workspace import PROJECT, documents

sys.path.append(str(PROJECT / "tests" / "benchmarks"))

import bench_corpus
import bench_tokenizer
import bench_training


@pytest.fixture
def model(tmp_path: Path) -> Path:
    make_tiny_model(tmp_path / "model")
    facts = {"document_start": [], "document_end": ["<|endoftext|>"]}
    write_manifest(tmp_path / "model", inputs={}, counts={}, facts=facts)
    return tmp_path / "model"


def test_cleaning_and_deduplication(tmp_path: Path) -> None:
    texts = [text * 3 for text in documents(40)]
    made = [tmp_path / folder / "text" / "0000.parquet" for folder in ("clean", "train")]
    bench_corpus.write(tmp_path / "raw" / "text" / "0000.parquet", texts)
    assert bench_corpus.our_cleaning(tmp_path).seconds > 0
    assert bench_corpus.our_deduplication(tmp_path).seconds > 0
    halves = [path.read_bytes() for path in made]
    for path in made:
        path.unlink()
    stage = [bench_corpus.clean_program(tmp_path), *bench_corpus.removal(tmp_path)]
    assert bench_corpus.cost_of(stage, bench_corpus.ONE_THREAD).seconds > 0
    assert [path.read_bytes() for path in made] == halves


def test_learning_tokens(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_tokenizer, "MEASURED", 20)
    assert bench_tokenizer.program_cost(model, TEXT[:-2], TEXT[-2:], tmp_path)["megabytes"] > 0


def test_training(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"NEW_TOKENS": (20,), "BLOCK": 16, "BLOCKS": 8, "EXAMPLES": 2}.items():
        monkeypatch.setattr(bench_training, name, value)
    novel = tmp_path / "novel.json"
    novel.write_text(json.dumps(TEXT), encoding="utf-8")
    bench_training.prepare(tmp_path, model, novel)
    for name, command in bench_training.runs(tmp_path, model, Path("python")).items():
        if not name.startswith("TRL"):
            assert bench_training.run([*command, tmp_path / "run"])["processor_seconds"] > 0
