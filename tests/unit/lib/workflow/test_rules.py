"""What rules share."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lib.core.fingerprint import code_fingerprint
from lib.settings.pipeline import ClusterSettings
from lib.settings.pretrain import PretrainSettings
from lib.settings.training import ProcessSettings
from lib.workflow.rules import PREFIX, half_of_the_cores, json_rows, program, remove_timestamp, training_resources

SCRIPTS = Path(__file__).parents[4] / "scripts"


RULES = f"""
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
from lib.settings.pipeline import ClusterSettings
from lib.workflow.rules import PROGRAM, complete, program

rule clean:
    input:
        "watched.txt",
        corpus="corpus.json",
        none=[],
        several=["a.json", "b.json"],
    output: output="results/{{source}}.json", second_table="results/{{source}}.tsv"
    resources: gpu=2
    params:
        **program("clean", "source"),
        settings=config["text"],
        rows=[config["text"].lstrip("-"), "x"],
        seed=1,
        watched="only watched",
        maximum=None,
        gpu=lambda wildcards, resources: resources.gpu,
    shell: PROGRAM

complete(workflow, ClusterSettings())
"""


def test_a_rule_carries_its_program_and_the_fingerprint_of_it() -> None:
    values = program("clean", "source", "shard")
    assert (values["command"], values["code"]) == ([SCRIPTS / "clean.py"], code_fingerprint(SCRIPTS / "clean.py"))
    assert values["source"]({"source": "a", "shard": "b"}) == "a"
    assert values["shard"]({"source": "a", "shard": "b"}) == "b"


@pytest.mark.parametrize(
    "text",
    ["{source} {x} {0} {}", "a'b\"c $(touch x) `y` \\ $HOME", "two\nlines", "-s", "--seed=5", "\x1b[0m", "{{诗}}"],
)
def test_named_files_and_parameters_reach_the_program_as_they_are(text: str, tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(RULES, encoding="utf-8")
    for name in ("watched.txt", "corpus.json", "a.json", "b.json"):
        (tmp_path / name).touch()
    (tmp_path / "settings.json").write_text(json.dumps({"text": text}), encoding="utf-8")
    # A `python` that writes down what it is called with, and makes the outputs.
    program_stub = tmp_path / "bin" / "python"
    program_stub.parent.mkdir()
    program_stub.write_text(
        f"#!{sys.executable}\nimport json, sys, pathlib\n"
        "pathlib.Path('words.json').write_text(json.dumps(sys.argv[1:]))\n"
        "pathlib.Path('results/s.json').touch(); pathlib.Path('results/s.tsv').touch()\n",
        encoding="utf-8",
    )
    program_stub.chmod(0o755)
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "settings.json", "--", "results/s.json"],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{program_stub.parent}:{os.environ['PATH']}"},
        check=True,
        capture_output=True,
        timeout=100,
    )
    words = json.loads((tmp_path / "words.json").read_text())
    assert words == [
        *(str(SCRIPTS / "clean.py"), "--corpus", "corpus.json", "--several", "a.json", "b.json"),
        *("--source", "s", *([f"--settings={text}"] if text.startswith("-") else ["--settings", text])),
        *("--rows", text.lstrip("-"), "x", "--seed", "1", "--gpu", "2"),
        *("--output", "results/s.json", "--second-table", "results/s.tsv"),
    ]
    assert (tmp_path / "logs" / "clean" / "s.log").exists()
    assert (tmp_path / "benchmarks" / "clean" / "s.tsv").exists()


def test_a_program_that_is_told_to_stop_has_its_last_words(tmp_path: Path) -> None:
    program_file = tmp_path / "program.py"
    program_file.write_text(
        "import signal, sys, time\n"
        "def stop(number, frame):\n"
        "    print('told to stop', flush=True)\n"
        "    time.sleep(1)\n"
        "    print('saved', flush=True)\n"
        "    sys.exit(75)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('begun', flush=True)\n"
        "while True: time.sleep(0.1)\n",
        encoding="utf-8",
    )
    log = tmp_path / "log"
    command = f"{sys.executable} {program_file} 2>&1 | tee -i {log}"
    process = subprocess.Popen(
        ["bash", "-c", PREFIX.format() + command],
        env=os.environ | {"OMP_NUM_THREADS": "1", "HOSTNAME": "here"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    os.killpg(process.pid, signal.SIGTERM)  # as SLURM does
    assert process.communicate(timeout=120)[0] == "told to stop\nsaved\n"
    assert process.returncode == 75
    assert log.read_text(encoding="utf-8") == "begun\ntold to stop\nsaved\n"


COMMAND = f"""
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
from lib.settings.pipeline import ClusterSettings
from lib.workflow.rules import PROGRAM, complete, program

rule clean:
    output: output="done"
    params: **program("clean"), **config
    shell: PROGRAM

complete(workflow, ClusterSettings())
"""


def plan(folder: Path, *options: str, **parameters: object) -> str:
    """What Snakemake says of one job with these parameters; `options` are its own."""
    (folder / "Snakefile").write_text(COMMAND, encoding="utf-8")
    (folder / "settings.json").write_text(json.dumps(parameters), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--cores",
        "1",
        "--configfile",
        "settings.json",
        *options,
        "--",
        "done",
    ]
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=500)
    return done.stdout


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        (
            {"settings": "x" * 130_000},
            r"^error: the command of clean.py is longer than 120,000 bytes, .*'xxx.*as files",
        ),
        ({"addresses": ["a", "-b"]}, r"^error: '-b' begins with a dash, .* write a path as ./-name$"),
    ],
)
@pytest.mark.fault
def test_what_no_command_can_hold_is_refused_in_one_line(
    parameters: dict[str, object], error: str, tmp_path: Path
) -> None:
    said = plan(tmp_path, "-n", **parameters)
    assert re.search(error, said, re.MULTILINE), said
    assert "Traceback" not in said


@pytest.mark.fault
def test_a_value_that_another_parameter_has_already_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "done").touch()
    plan(tmp_path, "--touch", "--forceall", seed=1, nodes=1, processes=2)
    assert "Nothing to be done" in plan(tmp_path, "-n", seed=1, nodes=1, processes=2)
    assert "nodes: 2" in plan(tmp_path, "-n", seed=1, nodes=2, processes=2)


def test_rows_have_the_columns_that_are_asked_for_in_that_order() -> None:
    rows = [SimpleNamespace(name="诗", uri="data/a.jsonl", weight=2), SimpleNamespace(name="b", uri="", weight=1)]
    assert json_rows(rows, "weight", "name") == '[{"weight": 2, "name": "诗"}, {"weight": 1, "name": "b"}]'
    assert json_rows([], "name") == "[]"


def test_a_job_that_shares_the_machine_takes_at_most_half_of_it() -> None:
    cores = len(os.sched_getaffinity(0))
    assert [half_of_the_cores(maximum) for maximum in (1, 10_000)] == [1, max(1, cores // 2)]


def test_training_on_several_nodes_starts_its_own_tasks() -> None:
    one, several, cpu = (
        training_resources(ProcessSettings(**values), PretrainSettings(), 512, ClusterSettings(max_minutes=1440))
        for values in ({"gpu": 2}, {"gpu": 4, "nodes": 2}, {"processes": 3})
    )
    # No model is there yet.
    assert (one["gpu"], one["tasks"], one["mem_mb"](None, [])) == (2, 0, 16_000)
    assert (several["gpu"], several["nodes"], several["tasks"], several["mpi"]) == (8, 2, 2, "srun")
    assert (cpu["gpu"], cpu["tasks"], cpu["mem_mb"](None, [])) == (0, 1, 24_000)
    assert {part["runtime"] for part in (one, several, cpu)} == {1440}


def test_a_model_that_users_copy_holds_no_file_of_snakemake(tmp_path: Path) -> None:
    (tmp_path / ".snakemake_timestamp").touch()
    os.utime(tmp_path / ".snakemake_timestamp", ns=(10**18, 10**18))
    remove_timestamp(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert tmp_path.stat().st_mtime_ns == 10**18
    remove_timestamp(tmp_path / "none")
