"""Every command in the documents works as it is written there, in a fresh clone.

Commands are the lines of fenced blocks that begin with a known word, and code in a sentence that begins with `make` or
`.venv/bin/`. Snakemake plans instead of running; programs that need a finished model or minutes show their help. A
settings file that a command names is the YAML block that begins with `# NAME.yaml`. Where a command cannot be tried
at all, write <!-- not tried: REASON --> on the line before its block. Lines that make files (`mkdir`, `printf`) run
before all others.
"""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workspace import PROJECT, Workspace, copy_project

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "config/*.md", "docs/**/*.md", "resources/**/*.md")
    for path in PROJECT.glob(pattern)
    if path.name != "CHANGELOG.md"
)
BLOCK = re.compile(
    r"^(?P<before>[^\n]*)\n(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL
)
WORDS = (
    *("make", ".venv/bin/", "snakemake", "python", "python3"),
    *("pip", "sbatch", "srun", "git", "cd", "source", ".", "export"),
)
FILE_WORDS = ("mkdir ", "printf ", "head ", "sed ")
"""How lines begin that make the files of a tutorial."""
SHOW_HELP = (
    "chat.py",
    "crate.py",
    "serve.py",
    "summary.py",
    "report.py",
    "verify.py",
    "verify_files.py",
    "watch.py",
    "tests/benchmarks/",
)
"""Programs that need what only a finished run has, or minutes, or do not end by themselves."""
NEVER_RUN = ("test", "test-all", "check", "format", "docs", "lock", "clean", "bench-")
"""Targets of make that change the clone or take minutes: only their recipes are looked up."""


def commands(text: str) -> Iterator[str]:
    """The commands of a document."""
    for block in BLOCK.finditer(text):
        if block["language"] not in ("", "sh", "bash", "shell", "console") or "<!-- not tried:" in block["before"]:
            continue
        for line in block["text"].replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True) if line.strip().startswith(WORDS) else []
            if words and (words[0] in WORDS or words[0].startswith(".venv/bin/")):
                yield " ".join(line.partition(" #")[0].split())
    for code in re.findall(r"`((?:make |\.venv/bin/)[^`\n]+)`", BLOCK.sub("", text)):
        if "*" not in code:
            yield code


def lines_that_make_files(text: str) -> Iterator[str]:
    for block in BLOCK.finditer(text):
        yield from (line.strip() for line in block["text"].splitlines() if line.strip().startswith(FILE_WORDS))


def settings_files(text: str) -> dict[str, str]:
    """The YAML blocks of a document that say which file they are."""
    found = {}
    for block in BLOCK.finditer(text):
        lines = [line.removeprefix(block["indent"]) for line in block["text"].splitlines()]
        if block["language"] == "yaml" and (name := re.fullmatch(r"# ([\w./-]+\.yaml)", lines[0])):
            found[name[1]] = "\n".join(lines) + "\n"
    return found


TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
COMMANDS = sorted({command for text in TEXTS.values() for command in commands(text)})


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The project as it is published, with programs in its environment that plan instead of running."""
    root = tmp_path_factory.mktemp("documents") / "project"
    copy_project(root)
    for text in TEXTS.values():
        for name, content in settings_files(text).items():
            (root / name).write_text(content, encoding="utf-8")
    workspace = Workspace(root)
    for text in TEXTS.values():
        for line in lines_that_make_files(text):
            assert workspace.run("sh", "-c", line).status == 0, line
    programs = root / ".venv" / "bin"
    programs.mkdir(parents=True)
    write_program(programs / "snakemake", f'exec {sys.executable} -m snakemake --dry-run --quiet all "$@"')
    patterns = "|".join(f"*{name}*" for name in SHOW_HELP)
    only_help = f'case "$1" in {patterns}) exec {sys.executable} "$1" --help;; esac'
    write_program(programs / "python", f'{only_help}\nexec {sys.executable} "$@"')
    return workspace


def write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_documents_have_commands() -> None:
    for needed in ("make run", "make run CONFIG=my_run.yaml", "make dry-run CONFIG=my_run.yaml", "make compare"):
        assert needed in COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works_as_it_is_written(command: str, clone: Workspace) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        stamps = [f".venv/.installed{part}" for part in ("", "-test", "-export", "-serving")]
        installed = [option for stamp in stamps for option in ("-o", stamp)]
        dry = ["-n"] if words[1].startswith(NEVER_RUN) else []
        words = ["make", *installed, *dry, *words[1:]]
    finished = clone.run(*words, PATH=f"/usr/bin:/bin:{os.environ['PATH']}")
    if "compare" in words and re.search("two runs or more|there is no run", finished.output):  # nothing has run here
        return
    if command == "make sweep" and "settings: nothing varies; write a section `sweep`" in finished.output:
        return
    assert finished.status == 0, finished.output
    assert "Traceback" not in finished.output
