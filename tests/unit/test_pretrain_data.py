"""The pretrain_data program: every document's tokens are in the blocks, once, in an order that is a file."""

import json
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pretrain_data as program
import pytest

from lib.core.outputs import read_json, write_json
from lib.tokens.document_shards import DocumentWriter
from lib.tokens.token_files import TokenWriter, read_tokens
from tiny_model import make_tiny_model

Texts = list[list[int]]
NOVEL: Texts = [list(range(10, 10 + length)) for length in (5, 40, 3, 17, 1)]
NEWS: Texts = [[100 + number] * (number + 1) for number in range(30)]
ENGLISH: Texts = [[300 + number] * 10 for number in range(50)]
HELD_OUT: dict[str, Texts] = {"novel": [[7] * 20], "news": [[8] * 5, [9] * 4], "english": [[6] * 30]}

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Runs the program on documents by source; returns the directory that it writes."""
    make_tiny_model(tmp_path / "tokenizer")
    for name in ("tokenizer", "corpus"):
        write_json_at(tmp_path / name / "manifest.json", {})

    def run(
        shards: int = 2,
        replay: dict[str, float] | None = None,
        sft: Path | None = None,
        start: tuple[str, ...] = (),
        **train: Texts,
    ) -> Path:
        facts = {"document_start": start, "document_end": ["<|endoftext|>"]}
        write_json_at(tmp_path / "base_model" / "manifest.json", {"facts": facts})
        tokens = tmp_path / f"tokens-{shards}"
        for source, texts in train.items():
            write_shards(tokens / "train" / source, texts, shards)
            write_shards(tokens / "validation" / source, HELD_OUT[source], shards)
        output = tmp_path / "data" / "manifest.json"
        arguments: list[object] = ["--settings", '{"block_size": 16}', "--seed", 1, "--sources", *train]
        arguments += ["--shards", shards, "--replay", json.dumps(replay or {}), "--tokens", tokens]
        arguments += ["--corpus", tmp_path / "corpus" / "manifest.json", "--sft-data", *([sft] if sft else [])]
        arguments += ["--tokenizer", tmp_path / "tokenizer" / "manifest.json"]
        arguments += ["--base-model", tmp_path / "base_model" / "manifest.json", "--output", output]
        monkeypatch.setattr(sys, "argv", ["pretrain_data.py", *map(str, arguments)])
        program.main()
        return output.parent

    return run


def write_json_at(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, value)


def write_shards(directory: Path, texts: Texts, shards: int) -> None:
    """Deal documents to shards, as the corpus does."""
    directory.mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        numbers = range(shard, len(texts), shards)
        with DocumentWriter(directory / f"{shard:04d}.arrow") as writer:
            writer.write(list(numbers), [np.asarray(texts[number], np.int32) for number in numbers])


def blocks(data: Path, split: str = "train") -> Texts:
    return list(read_tokens(data / f"{split}.arrow")["input_ids"])


def in_a_row(texts: Texts, between: list[int]) -> list[int]:
    return [token for text in texts for token in [*between, *text]]


@pytest.mark.parametrize(("start", "between"), [((), [0]), (("<|im_start|>",), [0, 1])])
def test_blocks_hold_the_documents(make: Make, start: tuple[str, ...], between: list[int]) -> None:
    data = make(novel=NOVEL, news=NEWS, start=start)
    found = blocks(data)
    assert list(chain.from_iterable(found)) == in_a_row(NOVEL + NEWS, between)
    assert all(len(block) == 16 for block in found[:-1])
    held_out = read_tokens(data / "validation.arrow")
    for source in ("novel", "news"):
        rows = [row["input_ids"] for row in held_out if row["source"] == source]
        assert list(chain.from_iterable(rows)) == in_a_row(HELD_OUT[source], between)
    manifest = read_json(data / "manifest.json")
    tokens = {"novel": len(in_a_row(NOVEL, between)), "news": len(in_a_row(NEWS, between))}
    assert manifest["facts"]["train_tokens"] == tokens
    assert manifest["counts"] == {
        "train_blocks": len(found),
        "train_tokens": sum(tokens.values()),
        "validation_blocks": len(held_out),
        "validation_tokens": sum(len(in_a_row(HELD_OUT[source], between)) for source in tokens),
    }


def test_the_order_is_a_permutation_in_a_file(make: Make) -> None:
    data = make(novel=NOVEL, news=NEWS)
    order = np.load(data / "order.npy", allow_pickle=False)
    assert sorted(order) == list(range(len(blocks(data))))
    assert sorted(order) != list(order)


def test_the_number_of_shards_changes_nothing(make: Make) -> None:
    def contents(shards: int) -> dict[str, bytes]:
        data = make(shards, novel=NOVEL, news=NEWS, english=ENGLISH, replay={"english": 0.2})
        return {path.name: path.read_bytes() for path in data.iterdir()}

    assert contents(1) == contents(2) == contents(7)


@pytest.mark.parametrize("start", [(), ("<|im_start|>",)])
def test_replayed_sources_get_their_share(make: Make, start: tuple[str, ...]) -> None:
    data = make(novel=NOVEL, news=NEWS, english=ENGLISH, replay={"english": 0.25}, start=start)
    tokens = read_json(data / "manifest.json")["facts"]["train_tokens"]
    assert tokens["english"] / sum(tokens.values()) == pytest.approx(0.25, abs=1 / sum(tokens.values()))
    replayed = {token for block in blocks(data) for token in block if token >= 300}
    assert len(replayed) > 5
    assert replayed != set(range(300, 300 + len(replayed)))  # drawn by lot
    assert "english" in set(read_tokens(data / "validation.arrow")["source"])


def test_a_replayed_source_that_is_too_small_is_taken_whole(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    data = make(novel=NOVEL, english=ENGLISH[:1], replay={"english": 0.9})
    assert [token for block in blocks(data) for token in block].count(300) == 10
    assert "english makes up 13.4% of the tokens (90.0% are asked for)" in capsys.readouterr().out


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("start", [(), ("<|im_start|>",)])
def test_instructions_stand_behind_the_corpus(make: Make, tmp_path: Path, packed: bool, start: tuple[str, ...]) -> None:
    examples: Texts = [[1, 11, 12, 2], [1, 13, 2], [1, 14, 15, 2]]
    (tmp_path / "sft_data").mkdir()
    names = ["input_ids", "labels", *(["position_ids"] if packed else [])]
    with TokenWriter(tmp_path / "sft_data" / "train.arrow", names) as writer:
        for rows in [examples[:2], examples[2:]] if packed else [[example] for example in examples]:
            ids = list(chain.from_iterable(rows))
            columns = {"input_ids": ids, "labels": ids}
            if packed:
                columns["position_ids"] = list(chain.from_iterable(range(len(row)) for row in rows))
            writer.add(**columns)
    manifest = tmp_path / "sft_data" / "manifest.json"
    write_json(manifest, {"counts": {"train": 3, "train_tokens": 11}})
    data = make(novel=NOVEL, sft=manifest, start=start)
    # Templates that begin with the begin token, 1, do not make it stand there twice.
    expected = in_a_row(NOVEL, [0, 1] if start else [0]) + in_a_row(examples, [0])
    assert list(chain.from_iterable(blocks(data))) == expected
    assert read_json(data / "manifest.json")["facts"]["train_tokens"]["sft examples"] == 14
    assert "sft_data" in read_json(data / "manifest.json")["inputs"]
