"""The page that follows a run: in a browser, while a training writes its log, and after its end."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from browser import CHROMIUM, browser

from lib.runs.plan import Job, write_end, write_plan

PROGRAM = Path(__file__).parents[2] / "scripts" / "watch.py"
SETTINGS = "base_model: {uri: model}\npretrain: {max_steps: 40}\n"
JOBS = [
    Job("clean", 1, "logs/clean/novels.log", "benchmarks/clean/novels.tsv", []),
    Job("pretrain", 8, "logs/pretrain.log", "benchmarks/pretrain.tsv", [0]),
    Job("scores", 1, "logs/scores.log", "benchmarks/scores.tsv", [1]),
]
STEP = "pretrain: step {:>2}/40  loss {:.4f}  learning rate 1.38e-03  240 tokens/s  {} s left\n"
TIME_LIMIT = 120


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a settings file, and an earlier run that scored in three seconds."""
    (tmp_path / "mine.yaml").write_text(SETTINGS, encoding="utf-8")
    write(tmp_path / "runs/mine/benchmarks/scores.tsv", "s\n3.0\n")
    os.utime(tmp_path / "runs/mine/benchmarks/scores.tsv", (1, 1))
    return tmp_path


@pytest.fixture
def address(project: Path) -> Iterator[str]:
    """Where the page of the run `mine` is; the program ends at Ctrl-C with nothing to say."""
    command = [sys.executable, str(PROGRAM), "mine.yaml", "--port", "0"]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("watch: http://127.0.0.1:"), first + process.stdout.read()
        yield first.split()[1]
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=TIME_LIMIT)
        assert (process.returncode, rest.strip()) == (0, "")
    finally:
        process.kill()
        process.wait()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def begin(run: Path) -> None:
    """A run whose training has made two steps and half a line."""
    write_plan(run, JOBS, cores=2)
    write(run / JOBS[0].log, "")
    write(run / JOBS[0].benchmark, "s\n2.0\n")
    write(run / JOBS[1].log, "pretrain: step  0/40  validation loss 5.0000\n")
    write(run / JOBS[1].log, STEP.format(10, 4.75, 60) + STEP.format(20, 4.5, 4000) + "pretrain: st")


def test_the_page_answers_under_names_of_this_machine_only(project: Path, address: str) -> None:
    found = requests.get(address, timeout=TIME_LIMIT)
    assert "No run has been started here yet" in found.text
    assert "make run CONFIG=mine.yaml" in found.text
    assert requests.get(address, headers={"Host": "elsewhere.example"}, timeout=TIME_LIMIT).status_code == 400
    assert requests.get(f"{address}../mine.yaml", timeout=TIME_LIMIT).status_code == 404
    assert requests.get(f"{address}mine.yaml", timeout=TIME_LIMIT).status_code == 404
    before = sorted(project.rglob("*"))
    begin(project / "runs/mine")
    written = sorted(project.rglob("*"))
    assert "step 20 of 40" in requests.get(f"{address}live", timeout=TIME_LIMIT).text
    assert sorted(project.rglob("*")) == written != before  # to look writes nothing


def test_what_was_never_measured_is_not_guessed(project: Path, address: str) -> None:
    run = project / "runs/mine"
    write_plan(run, JOBS, cores=2)
    page = requests.get(f"{address}live", timeout=TIME_LIMIT).text
    assert "<b>not known yet</b>" in page
    assert "at least 3 s; no job of clean, pretrain has been measured yet" in page
    (run / JOBS[2].benchmark).unlink()
    begin(run)
    page = requests.get(f"{address}live", timeout=TIME_LIMIT).text
    assert re.search(r"<b>at least 6\d\.\d min</b>", page)  # less what has passed since the line
    assert "no job of scores has been measured yet" in page


def test_a_run_that_fails_or_is_killed_is_called_so(project: Path, address: str) -> None:
    run = project / "runs/mine"
    begin(run)
    write_end(run, "failed")
    page = requests.get(f"{address}live", timeout=TIME_LIMIT).text
    assert "The run has stopped before its end; see logs/pretrain.log. make run CONFIG=mine.yaml goes on." in page
    assert " left" not in page.partition("Stages")[0]


def test_a_port_that_is_taken_is_named(project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, str(PROGRAM), "mine.yaml", "--port", str(port)]
        ended = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"error: port {port} is in use; choose another, as in make watch PORT={port + 1}\n"


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
def test_the_page_keeps_up_with_the_run(project: Path, address: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    run = project / "runs/mine"
    with browser(tmp_path_factory.mktemp("browser")) as page:
        page.open(address)
        page.wait("document.body.innerText.includes('No run has been started here yet')")
        begin(run)
        page.wait("document.body.innerText.includes('step 20 of 40')")
        page.wait("document.querySelectorAll('.plot canvas').length === 1")
        assert page.value("document.querySelector('figure script').textContent.includes('4.75')")
        # 4,000 s of training, less what has passed since the line, and 3 s of scoring; no share of three jobs.
        assert re.fullmatch(r"about 6\d\.\d min", page.value("document.querySelector('.tile b').innerText"))
        assert "1 of 3" in page.value("document.querySelector('.tiles').innerText")
        page.value("document.querySelector('.tools input').click()")  # a logarithmic scale

        write(run / JOBS[1].log, "ep 30/40  loss 4.2500  learning rate 1.38e-03  240 tokens/s  20 s left\n")
        page.wait("document.body.innerText.includes('step 30 of 40')")
        assert page.value("document.querySelectorAll('.plot canvas').length") == 1
        assert page.value("document.querySelector('figure .scroll').innerText.includes('4.25')")
        assert page.value("document.querySelector('.tools input').checked")

        page.open(address, width=420)
        page.wait("document.querySelectorAll('.plot canvas').length === 1")
        assert page.value("document.documentElement.scrollWidth") == 420
        for job in JOBS[1:]:
            write(run / job.log, "")
            (run / job.benchmark).unlink(missing_ok=True)
            write(run / job.benchmark, "s\n3.0\n")
        write_end(run, "finished")
        page.wait("document.title.startsWith('finished')")
        assert "3 of 3" in page.value("document.querySelector('.tiles').innerText")
