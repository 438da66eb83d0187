"""Whatever a key, a cell or a file's name holds reaches the programs as it is."""

import json
import re
import shlex
import string
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plans import RUN, SETTINGS_OF_ALL, job_graph, write_named_files
from workspace import Workspace, make_workspace

PIECES = (
    *("{", "}", "{x}", "{0}", "{{诗}}", "{input}", "{wildcards.source}", "'", '"', "$(touch x)", "`touch x`", "$HOME"),
    *(
        "\\",
        "-",
        "--seed=5",
        "%s",
        "*",
        "?",
        "~",
        "!",
        "&",
        ";",
        "|",
        ">",
        "#",
        " ",
        "\t",
        "\n",
        "\r",
        "\x1b[0m",
        "\x7f",
    ),
    *("\u2028", "\u3000", "\ufeff", "诗", "𠀀", *string.ascii_letters),
)
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)

# Keys and columns that take any text, with how each wants it.
TEXT_KEYS = {
    "base_model": {"document_start": str, "document_end": str},
    "pretrain": {"target_modules": lambda text: [text]},
    "sft": {"system": str, "control_tokens": lambda text: [text], "target_modules": lambda text: [text]},
    "evaluation": {"answer_label": str, "prompts": lambda text: [text], "lm_eval": lambda text: [text]},
}
TEXT_COLUMNS = ("encoding", "text_field", "license")
FILE_KEYS = {
    "corpus": ("custom_rules", "blocked_words", "benchmarks", "good_examples", "bad_examples"),
    "tokenizer": ("words", "uri"),
    "sft": ("template",),
    "evaluation": ("control", "multiple_choice", "lm_eval_tasks"),
    "base_model": ("uri",),
}
FOLDERS = {"tokenizer.uri": "model", "base_model.uri": "model", "evaluation.lm_eval_tasks": "tasks"}


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = make_workspace(tmp_path_factory.mktemp("odd") / "project")
    write_named_files(workspace)
    return workspace


def words(workspace: Workspace, changes: dict[str, dict[str, Any]]) -> set[str]:
    """Every word of every command that the run would give a shell, and every text in those that are JSON."""
    given = {
        section: values | changes.get(section, {}) if isinstance(values, dict) else values
        for section, values in SETTINGS_OF_ALL.items()
        if section != "sweep"
    }
    found: set[str] = set()
    with job_graph(workspace, given, *RUN) as dag:
        for job in dag.jobs:
            for word in shlex.split(job.shellcmd or ""):
                found |= {word, word.partition("=")[2], *texts_in(word)}
    return found


def texts_in(word: str) -> Iterator[str]:
    try:
        values = [json.loads(word)]
    except ValueError:
        return
    while values:
        value = values.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            values += [*value, *value.values()]
        elif isinstance(value, list):
            values += value


@settings(max_examples=12, deadline=None, derandomize=True)
@example("-s")
@example("{x}")
@given(TEXTS)
@pytest.mark.fault
def test_texts_reach_programs_as_they_are(planned: Workspace, text: str) -> None:
    changes = {
        section: {key: form(f"{text}{key}") for key, form in forms.items()} for section, forms in TEXT_KEYS.items()
    }
    cell = " ".join(text.split())
    cells = {column: f"{cell}{column}" for column in TEXT_COLUMNS}
    sheets = {"corpus": "data/letters.jsonl", "instructions": "data/instructions.jsonl"}
    before = {name: (planned.root / "config" / f"{name}.tsv").read_bytes() for name in sheets}
    for name, file in sheets.items():
        header, row = ["name", "uri", *cells], ["a", file, *cells.values()]
        (planned.root / "config" / f"{name}.tsv").write_text(
            "\t".join(header) + "\n" + "\t".join(row) + "\n", encoding="utf-8"
        )
    try:
        found = words(planned, changes)
    finally:
        for name, content in before.items():
            (planned.root / "config" / f"{name}.tsv").write_bytes(content)
    expected = {f"{text}{key}" for forms in TEXT_KEYS.values() for key in forms}
    assert expected | {cells["encoding"], cells["text_field"]} <= found


@settings(max_examples=12, deadline=None, derandomize=True)
@example("{x}")
@example("-s")
@given(TEXTS.filter(lambda text: text.strip(".") and "/" not in text))
@pytest.mark.fault
def test_names_of_files_reach_programs_as_they_are_or_are_refused_by_key(planned: Workspace, text: str) -> None:
    folder = planned.root / "data" / "odd" / text
    folder.mkdir(parents=True, exist_ok=True)
    changes: dict[str, dict[str, Any]] = {}
    for section, names in FILE_KEYS.items():
        for key in names:
            path = folder / f"{text}{key}.jinja"
            if not path.exists():
                if source := FOLDERS.get(f"{section}.{key}"):
                    path.symlink_to(planned.root / "data" / source)
                else:
                    path.write_text("", encoding="utf-8")
            address = path.relative_to(planned.root).as_posix()
            changes.setdefault(section, {})[key] = [address] if key.endswith(("benchmarks", "examples")) else address
    if re.search("[\0-\x1f]", text):
        with pytest.raises(SystemExit, match=r"error: settings: \w+\.\w+: .* is not an address; known forms:"):
            words(planned, changes)
        return
    found = words(planned, changes)
    expected = {value if isinstance(value, str) else value[0] for keys in changes.values() for value in keys.values()}
    assert expected <= found
