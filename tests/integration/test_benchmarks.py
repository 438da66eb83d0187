"""Our side of the benchmarks runs: what they call has the options that they give. Peers and real text are left out."""

import json
import sys
from pathlib import Path

import pytest

from lib.core.manifest import write_manifest
from lib.runs.settings_files import read_settings
from tiny_model import TEXT, make_tiny_model
from workspace import PROJECT, Workspace, documents

sys.path.append(str(PROJECT / "tests" / "benchmarks"))

import bench_corpus
import bench_extension
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


def test_extension(fresh: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [fresh.root / "config" / "demo.yaml"]
    for name, value in {"PROJECT": fresh.root, "SETTINGS": files, "EVERY": 2}.items():
        monkeypatch.setattr(bench_extension, name, value)
    curves = []
    for new_tokens in (0, 20):
        results = bench_extension.prepare(tmp_path, new_tokens, seed=2)
        fit, points = bench_extension.measure(read_settings(files), results, 4)
        curves.append(bench_extension.Curve(new_tokens, 2, fit, points))
    assert [point["step"] for point in curves[1].points] == [0, 2, 4]
    assert curves[1].points[0]["text"] > curves[1].points[-1]["text"]
    assert curves[1].at(curves[1].seconds()[-1], "responses") == curves[1].points[-1]["responses"]
    bench_extension.draw(curves, tmp_path / "curves.svg")
    assert "20 new tokens" in (tmp_path / "curves.svg").read_text(encoding="utf-8")


def curve(new_tokens: int, seed: int, fit: float, end: float) -> bench_extension.Curve:
    """Nine seconds of training, from 9 bits per character to `end`."""
    points = [{"step": 0, "seconds": 0, "text": 9}, {"step": 9, "seconds": 9, "text": end}]
    return bench_extension.Curve(new_tokens, seed, fit, points)


def test_where_curves_cross(capsys: pytest.CaptureFixture[str]) -> None:
    curves = [curve(0, 1, 0, 8), curve(5, 1, 1, 7), curve(0, 2, 0, 8), curve(5, 2, 1, 8.5), curve(7, 2, 1, 7)]
    bench_extension.print_comparison("5", bench_extension.pairs(curves, 5), "text")
    first, second, over_seeds = capsys.readouterr().out.splitlines()
    assert first.startswith("5, seed 1: ahead from 2 s on, -9.7% at 9 s")
    assert second == "5, seed 2: +6.9% at 9 s"  # an eighth of its way is left
    assert over_seeds == "5, mean: -1.4% (-9.7% to +6.9%) at 9 s"
    bench_extension.print_comparison("7", bench_extension.pairs(curves, 7), "text")
    (only,) = capsys.readouterr().out.splitlines()
    assert only.startswith("7, seed 2: ahead from 2 s on")
