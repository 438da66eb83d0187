"""Files of data sets: by their configurations and splits, as the README.md or their names tell them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lib.core.errors import UserError
from lib.sources.data_sets import ALL, choose_files, matching
from web_server import Site, serve

SCRIPTS = Path(__file__).parents[4] / "scripts"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAMES = [
    *(".gitattributes", "README.md", "LICENSE", "load.py"),
    *(
        "zh/train-00000.parquet",
        "zh/train-00001.parquet",
        "zh/test-00000.parquet",
        "en/train.parquet",
        "en/dev.parquet",
    ),
]
CONFIGS = [
    {
        "config_name": "zh",
        "data_files": [{"split": "train", "path": "zh/train-*"}, {"split": "test", "path": ["zh/test-*"]}],
    },
    {"config_name": "en", "data_files": "en/*.parquet"},
]


@pytest.mark.parametrize(
    ("config", "split", "files"),
    [
        ("zh", "", ["zh/train-00000.parquet", "zh/train-00001.parquet"]),
        ("zh", "test", ["zh/test-00000.parquet"]),
        ("zh", ALL, ["zh/test-00000.parquet", "zh/train-00000.parquet", "zh/train-00001.parquet"]),
        ("en", "", ["en/dev.parquet", "en/train.parquet"]),
    ],
)
def test_what_the_card_declares(config: str, split: str, files: list[str]) -> None:
    assert choose_files("hf:x", NAMES, CONFIGS, config, split) == files
    if not split:
        default = [{**one, "default": one["config_name"] == config} for one in CONFIGS]
        assert choose_files("hf:x", NAMES, default, "", "") == files


@pytest.mark.parametrize(
    ("names", "config", "split", "files"),
    [
        (NAMES, "zh", "", ["zh/train-00000.parquet", "zh/train-00001.parquet"]),
        (NAMES, "en", "validation", ["en/dev.parquet"]),
        (["data/train/a.txt", "data/test/a.txt", "data/latest.txt"], "", "", ["data/train/a.txt"]),
        (["README.md", "a.jsonl", "sub/contest.jsonl"], "", "", ["a.jsonl", "sub/contest.jsonl"]),
        (["my_train_file.csv", "my-eval-file.csv"], "", "test", ["my-eval-file.csv"]),
    ],
)
def test_what_names_tell(names: list[str], config: str, split: str, files: list[str]) -> None:
    assert choose_files("hf:x", names, None, config, split) == files


@pytest.mark.parametrize(
    ("configs", "config", "split", "message"),
    [
        (CONFIGS, "", "", r"hf:x: the data set has several configurations; write \?config= and one of: zh, en"),
        (CONFIGS, "fr", "", r"has no configuration 'fr'; write \?config= and one of: zh, en"),
        (CONFIGS, "zh", "dev", r"no files of the split 'dev'; write \?split= and one of: test, train"),
        (None, "fr", "", "the data set has no folder 'fr' with data"),
        (None, "", "none", r"no files of the split 'none'; write \?split= and one of: test, train, validation"),
    ],
)
def test_a_choice_that_cannot_be_made(configs: Any, config: str, split: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        choose_files("hf:x", NAMES, configs, config, split)


def test_patterns() -> None:
    names = ["a.txt", "b/a.txt", "b/c/a.txt", "b/[x].txt", "ab.txt"]
    assert matching(names, "*.txt") == ["a.txt", "ab.txt"]
    assert matching(names, "**/a.txt") == ["a.txt", "b/a.txt", "b/c/a.txt"]
    assert matching(names, "b/**") == ["b/a.txt", "b/c/a.txt", "b/[x].txt"]
    assert matching(names, "[!a].txt") == []
    assert matching(names, "./[a-c].txt") == ["a.txt"]


def data_set(files: dict[str, bytes]) -> Site:
    """A server with the parts of the hub's interface that a download uses, and one data set."""
    site = Site(missing={"/models/": "RepoNotFound", "/org/none": "RepoNotFound"})
    information = {"id": "org/set", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
    tree = [
        {"type": "file", "path": name, "size": len(content), "oid": f"{number:040x}"}
        for number, (name, content) in enumerate(files.items())
    ]
    for revision in ("main", COMMIT):
        site.files[f"/api/datasets/org/set/revision/{revision}"] = json.dumps(information).encode()
        site.files[f"/api/datasets/org/set/tree/{revision}"] = json.dumps(tree).encode()
        for number, (name, content) in enumerate(files.items()):
            path = f"/datasets/org/set/resolve/{revision}/{name}"
            site.files[path] = content
            site.headers[path] = {"X-Repo-Commit": COMMIT, "ETag": f'"{number}"'}
    return site


def fetched(uri: str, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: huggingface_hub reads its settings from the environment when it is imported."""
    program = (
        "import json, sys; from pathlib import Path; from lib.core.program import run; "
        "from lib.sources.listing import fetched_source_files\n"
        "def main():\n"
        "    with fetched_source_files(sys.argv[1], Path('unused'), '') as files:\n"
        "        print(json.dumps({name: Path(path).read_text() for name, path in files.items()}))\n"
        "run(main)"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE_"))}
    settings = {"HF_HUB_CACHE": str(cache), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return subprocess.run(
        [sys.executable, "-c", program, uri],
        env={**kept, **settings, "PYTHONPATH": str(SCRIPTS), "no_proxy": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.fault
def test_only_the_wanted_split_is_downloaded_and_the_cache_serves_offline(tmp_path: Path) -> None:
    card = b"---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: a/*.jsonl\n---\nWords.\n"
    files = {"README.md": card, "a/1.jsonl": b'"one"', "a/2.jsonl": b'"two"', "b/test.jsonl": b'"test"'}
    with serve(data_set(files)) as hub:
        result = fetched("hf:org/set@main", tmp_path, HF_ENDPOINT=hub.url)
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout) == {"a/1.jsonl": '"one"', "a/2.jsonl": '"two"'}
        assert not [path for _, path, _ in hub.requests if path.endswith("test.jsonl")]
        result = fetched("hf:org/set@main/b/*.jsonl", tmp_path, HF_ENDPOINT=hub.url)
        assert json.loads(result.stdout) == {"b/test.jsonl": '"test"'}
        result = fetched("hf:org/none@main", tmp_path, HF_ENDPOINT=hub.url)
        assert "there is no model or data set org/none" in result.stderr
    result = fetched("hf:org/set@main", tmp_path, HF_HUB_OFFLINE="1")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {"a/1.jsonl": '"one"', "a/2.jsonl": '"two"'}
