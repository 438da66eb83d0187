"""Two results are compared file by file, and the first difference of each is named."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from verify import claimed_files, differences, first_difference

from lib.core.outputs import write_json


def write(results: Path, **changed: str) -> Path:
    """Results as a run makes them, some files with other content; None for one that is missing."""
    files = {
        "corpus/train/news/0000.parquet": "text",
        "corpus/signatures/block_0.txt": "times",
        "evaluation/scores.tsv": "model\ttext\nbase\t1.0\n",
        "report.html": "now",
        "corpus/held_out/made_with.json": "a commit",
        "export/gguf-f16/model.gguf": "weights",
        "sft_model/.snakemake_timestamp": "now",
    }
    for name, content in files.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text(changed.get(Path(name).stem, content))
    return results


def test_what_holds_times_or_is_made_on_request_claims_nothing(tmp_path: Path) -> None:
    before = write(tmp_path / "before")
    after = write(tmp_path / "after", report="later", block_0="later", model="other", made_with="another commit")
    assert claimed_files(before) == {"corpus/train/news/0000.parquet", "evaluation/scores.tsv"}
    assert list(differences(before, after)) == []


def test_every_difference_is_named(tmp_path: Path) -> None:
    before, after = write(tmp_path / "before"), write(tmp_path / "after", scores="model\ttext\nbase\t1.5\n")
    (before / "corpus" / "old.json").write_text("{}")
    (after / "corpus" / "new.json").write_text("{}")
    assert list(differences(before, after)) == [
        "corpus/new.json: made only now",
        "corpus/old.json: not made again; it may be left of other settings (make prune)",
        "evaluation/scores.tsv: 20 and 20 bytes, which differ from byte 18 on",
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "a.b.1 is 2 and 3"),
        ({"a": 1}, {"a": 1, "c": "x" * 99}, f'c is null and "{"x" * 58}…'),
        ([1], [1, 2], "value is [1] and [1, 2]"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "another layout of the same values"),
    ],
)
def test_the_first_key_that_differs(tmp_path: Path, before: object, after: object, said: str) -> None:
    paths = tmp_path / "before.json", tmp_path / "after.json"
    for path, value in zip(paths, (before, after), strict=True):
        write_json(path, value)
    assert first_difference(*paths) == said


def test_the_first_tensor_that_differs(tmp_path: Path) -> None:
    weights = {"a": torch.zeros(3, dtype=torch.bfloat16), "b": torch.zeros(4)}
    save_file(weights, tmp_path / "before.safetensors")
    for name, changed, said in (
        ("values", {"b": torch.tensor([0, 0.5, -2, 0])}, "b differs in 2 of 4 values, by up to 2"),
        ("shape", {"a": torch.zeros(2, dtype=torch.bfloat16)}, "a is torch.bfloat16 (3,) and torch.bfloat16 (2,)"),
        ("names", {"c": torch.zeros(1)}, "other tensors: c"),
    ):
        save_file(weights | changed, tmp_path / f"{name}.safetensors")
        assert first_difference(tmp_path / "before.safetensors", tmp_path / f"{name}.safetensors") == said


def test_where_a_long_file_differs(tmp_path: Path) -> None:
    content = bytes(3_000_000)
    (tmp_path / "before").write_bytes(content)
    (tmp_path / "after").write_bytes(content[:2_500_000] + b"x" + content[2_500_001:])
    (tmp_path / "longer").write_bytes(content + b"x")
    said = first_difference(tmp_path / "before", tmp_path / "after")
    assert said == "3,000,000 and 3,000,000 bytes, which differ from byte 2,500,000 on"
    said = first_difference(tmp_path / "before", tmp_path / "longer")
    assert said == "3,000,000 and 3,000,001 bytes, which differ from byte 3,000,000 on"
