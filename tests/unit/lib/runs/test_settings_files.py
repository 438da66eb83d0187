"""What is wrong with a settings file is said in one line that names it."""

from pathlib import Path

import pytest

from lib.core.errors import UserError
from lib.runs.settings_files import read_settings_file


def test_a_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "base: &base {rank: 8}\npretrain:\n  <<: *base\n  learning_rate: 1.0e-4\nsft: {rank: 8}\n", encoding="utf-8-sig"
    )
    assert read_settings_file(path)["pretrain"] == {"rank": 8, "learning_rate": 1e-4}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", " is empty"),
        (b"# nothing\n", " is empty"),
        (b"- gpu: 1\n", " must be a mapping of keys to values, not a list"),
        (b"gpu\n", " must be a mapping of keys to values, not a text"),
        (b"7\n", " must be a mapping of keys to values, not a single value"),
        (b"pretrain: [1\n", ", line 2: not YAML: expected ',' or ']'"),
        (b"pretrain:\n\trank: 8\n", ", line 2: not YAML: found character '\\t' that cannot start any token"),
        (b"gpu: 1\nseed: 2\ngpu: 2\n", ", line 3: not YAML: the key 'gpu' is already on line 1; keep one of them"),
        (b"sft:\n  rank: 1\n  rank: 2\n", ", line 3: not YAML: the key 'rank' is already on line 2"),
        ("# 中文\n".encode("gb18030"), " is not UTF-8 (byte 2); save it as UTF-8"),
        (b"a: \x00\n", ": not YAML: unacceptable character"),
    ],
)
def test_what_is_wrong_with_it(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_settings_file(path)
    assert str(error.value).startswith(f"{path}{message}")
    assert "\n" not in str(error.value)


def test_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml does not exist"):
        read_settings_file(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_settings_file(tmp_path)
