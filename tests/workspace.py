"""A copy of this project that tests may run, change and break, with a tiny model, a small corpus and instructions."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tiny_model import make_tiny_model

PROJECT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv*",
    ".snakemake",
    "results",
    "logs",
    "benchmarks",
    "work",
    "runs",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
)
TIME_LIMIT = 1_500  # seconds for one call of Snakemake; nothing here comes near

GPUS = int(os.environ.get("GPU_TESTS", "0"))
"""GPUs that there are for the tests; none unless GPU_TESTS says how many."""

SETTINGS: dict[str, Any] = {
    "gpu": min(GPUS, 1),
    "base_model": {"uri": "data/model"},
    # The stories are made from one pattern, so only copies count as near-duplicates.
    "corpus": {"shards": 2, "minimum_length": 20, "validation_fraction": 0.25, "near_duplicate_similarity": 0.95},
    "tokenizer": {"new_tokens": 30, "fit_steps": 4, "fit_characters": 2_000},
    "pretrain": {
        "rank": 4,
        "block_size": 32,
        "batch_size": 4,
        "max_steps": 60,
        "learning_rate": 0.01,
        "logging_steps": 20,
        "eval_steps": 20,
        "save_steps": 20,
        "validation_blocks": 4,
    },
    "sft": {
        "rank": 4,
        "batch_size": 4,
        "max_steps": 4,
        "learning_rate": 0.01,
        "logging_steps": 2,
        "eval_steps": 2,
        "save_steps": 2,
        "validation_fraction": 0.25,
    },
    "evaluation": {
        "max_characters": 400,
        "max_instructions": 4,
        "max_new_tokens": 8,
        "prompts": ["谁住在山里？"],
        "control": "data/control.txt",
    },
}

PEOPLE = ("老船夫", "小木匠", "卖豆腐的大娘", "年轻的邮差", "守灯塔的人", "学堂里的先生")
PLACES = ("河边的柳树下", "山脚的集市上", "城门外的茶馆里", "村口的石桥旁", "海边的小屋里")
THINGS = ("一封没有写完的信", "一只会说话的鹦鹉", "三枚生锈的铜钱", "一张旧地图", "一盏油灯")


@dataclass(frozen=True)
class Finished:
    """A process that has ended."""

    status: int
    output: str
    """What it wrote to the terminal, errors included."""

    @property
    def errors(self) -> list[str]:
        """The lines that tell a user what is wrong."""
        return [line for line in self.output.splitlines() if line.startswith("error: ")]


@dataclass(frozen=True)
class Workspace:
    """A folder with the project in it."""

    root: Path

    def run(self, *command: str | Path, **environment: str) -> Finished:
        """Run a command in the folder, as a user would on a terminal."""
        result = subprocess.run(
            [str(part) for part in command],
            cwd=self.root,
            env=quiet_environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )
        return Finished(result.returncode, result.stdout)

    def snakemake(self, *arguments: str) -> Finished:
        """Run Snakemake on two cores."""
        return self.run(sys.executable, "-m", "snakemake", "--cores", "2", *arguments)

    def make(self, *arguments: str) -> str:
        """Run Snakemake, which must end well; returns its output."""
        finished = self.snakemake(*arguments)
        assert finished.status == 0, finished.output
        return finished.output

    def planned(self, *arguments: str) -> set[str]:
        """The jobs that Snakemake would run now, as in `clean source=stories, shard=0000`."""
        return set(jobs(self.make("-n", *arguments)))

    def command(self, rule: str, *arguments: str) -> list[str]:
        """The command line of a rule's program, without the shell around it."""
        return self.commands(rule, targets=arguments)[rule]

    def commands(self, *rules: str, targets: Sequence[str] = ()) -> dict[str, list[str]]:
        """The command lines of several rules' programs, by rule."""
        output = self.make("-n", "-p", "--forcerun", *rules, "--", *targets)
        commands = {}
        for rule in rules:
            line = re.search(rf"^Shell command: .*?(python \S*/{rule}\.py .*) 2>&1 \| tee", output, re.MULTILINE)
            assert line, output
            commands[rule] = [sys.executable, *shlex.split(line[1])[1:]]
        return commands

    def trainer(self, **environment: str) -> int:
        """Id of a process that trains in stage 1 here, with these values in its environment."""
        program = str(self.root / "scripts" / "pretrain.py").encode()
        wanted = {f"{name}={value}".encode() for name, value in environment.items()}
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                arguments = (directory / "cmdline").read_bytes().split(b"\0")
                values = (directory / "environ").read_bytes().split(b"\0")
            except OSError:  # it has ended in the meantime
                continue
            if program in arguments[:3] and wanted <= set(values):
                return int(directory.name)
        raise AssertionError("no process trains")

    def wait_for_checkpoint(self, snakemake: subprocess.Popen[str]) -> None:
        """Wait until stage 1 has a whole checkpoint; fails if `snakemake`, which runs it, ends before."""
        limit = time.monotonic() + TIME_LIMIT
        # What the trainer writes last.
        while not list(self.root.glob("work/pretrain/*/checkpoint-*/trainer_state.json")):
            assert snakemake.poll() is None, snakemake.communicate()[0]
            assert time.monotonic() < limit
            time.sleep(0.01)

    def configure(self, **sections: Mapping[str, Any]) -> None:
        """Change keys of the settings file; a value of None takes a key out."""
        path = self.root / "config" / "demo.yaml"
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        for section, values in sections.items():
            changed = settings.get(section, {}) | values
            settings[section] = {key: value for key, value in changed.items() if value is not None}
        path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")

    def write_sheet(self, name: str, **sources: str) -> None:
        """Write `config/NAME.tsv` with the address of each source."""
        rows = "".join(f"{source}\t{uri}\n" for source, uri in sources.items())
        (self.root / "config" / f"{name}.tsv").write_text(f"name\turi\n{rows}", encoding="utf-8")

    def copy(self, target: Path) -> "Workspace":
        """The same folder elsewhere, times of files included."""
        shutil.copytree(self.root, target, symlinks=True)
        return Workspace(target)

    def files(self, directory: str = "results") -> set[str]:
        """Every file below `directory`, hidden ones included."""
        found = (self.root / directory).rglob("*")
        return {path.relative_to(self.root).as_posix() for path in found if path.is_file() and path.name != ".gitkeep"}


def make_workspace(root: Path) -> Workspace:
    """The project at `root` as a fresh clone would have it, set up for a run of seconds."""
    copy_project(root)
    data = root / "data"
    make_tiny_model(data / "model")
    stories = list(documents(40))
    write_jsonl(data / "stories.jsonl", ({"text": text} for text in stories))
    # Ten documents of the first source and one of its own twice: eleven duplicates.
    letters = [*stories[:10], *documents(30, shift=1)]
    write_jsonl(data / "letters.jsonl", ({"text": text} for text in [*letters, letters[-1]]))
    write_jsonl(data / "instructions.jsonl", instructions(40))
    # More than what Snakemake compares by content unless it is told to.
    control = (PROJECT / "resources" / "demo" / "control_en.txt").read_text(encoding="utf-8")
    (data / "control.txt").write_text(control * (1_200_000 // len(control)), encoding="utf-8")

    workspace = Workspace(root)
    (root / "config" / "demo.yaml").write_text(yaml.safe_dump(SETTINGS, allow_unicode=True), encoding="utf-8")
    workspace.write_sheet("corpus", stories="data/stories.jsonl", letters="data/letters.jsonl")
    workspace.write_sheet("instructions", questions="data/instructions.jsonl")
    return workspace


def copy_project(root: Path) -> None:
    """Copy what git tracks or would track; everything but what runs leave behind where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        shutil.copytree(PROJECT, root, ignore=LEFT_OUT)
        return
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, root / name)


def with_options(command: Sequence[str], **options: str | Path | Mapping[str, Any]) -> list[str]:
    """A command line with some flags of other values, or more flags; of `settings`, with those keys changed."""
    changed = list(command)
    for name, value in options.items():
        if f"--{name}" not in changed:  # the program's own default
            changed += [f"--{name}", ""]
        place = changed.index(f"--{name}") + 1
        changed[place] = json.dumps(json.loads(changed[place]) | value) if isinstance(value, Mapping) else str(value)
    return changed


def quiet_environment() -> dict[str, str]:
    """This process's environment: one thread for every library, and no settings of Snakemake from outside."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SNAKEMAKE_", "PYTEST_"))}
    return environment | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def jobs(dry_run: str) -> Iterator[str]:
    """The jobs in the output of `snakemake -n`, without the targets that only collect."""
    for rule, details in re.findall(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)*)", dry_run, re.MULTILINE):
        wildcards = re.search(r"^ +wildcards: (.*)$", details, re.MULTILINE)
        if rule not in ("all", "model", "export"):
            yield f"{rule} {wildcards[1]}" if wildcards else rule


def documents(number: int, shift: int = 0) -> Iterator[str]:
    """Short stories, no two alike; those of different shifts differ."""
    for count in range(number):
        who, where, what = (
            words[(count * (position + 1) + count // len(words)) % len(words)]
            for position, words in enumerate((PEOPLE, PLACES, THINGS))
        )
        yield (
            f"第{count + 1}个故事，第{shift + 1}卷。从前，{who}在{where}找到了{what}。"
            f"他想了{count + 2}天，也不知道该怎么办，于是把它交给了{PEOPLE[(count + shift + 1) % len(PEOPLE)]}。"
            f"The end of story {count + 1}, volume {shift + 1}."
        )


def instructions(number: int) -> Iterator[dict[str, str]]:
    """Alpaca records, no two alike."""
    for count in range(number):
        yield {
            "instruction": f"把{count}和{count + 3}加起来。",
            "input": "",
            "output": f"等于{2 * count + 3}。",
            "category": ("odd", "even")[count % 2],
        }


def write_jsonl(path: Path, records: Iterator[dict[str, str]]) -> None:
    """Write records, one a line."""
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8")


def change_a_constant(path: Path) -> None:
    """Add one to the first whole number in a Python file."""
    source = path.read_text(encoding="utf-8")
    numbers = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and type(node.value) is int and node.lineno == node.end_lineno
    ]
    first = min(numbers, key=lambda node: (node.lineno, node.col_offset))
    lines = source.encode().split(b"\n")
    line = lines[first.lineno - 1]
    value = str(int(ast.literal_eval(ast.unparse(first))) + 1)
    lines[first.lineno - 1] = line[: first.col_offset] + value.encode() + line[first.end_col_offset :]
    path.write_bytes(b"\n".join(lines))
