"""What Snakemake takes to plan many jobs, and to submit them to SLURM and see them end.

    .venv/bin/python tests/benchmarks/bench_cluster.py plan 3330
    .venv/bin/python tests/benchmarks/bench_cluster.py sources 900
    .venv/bin/python tests/benchmarks/bench_cluster.py submit 2000
    .venv/bin/python tests/benchmarks/bench_cluster.py finish 40 --options --groups make=all --group-components all=10

`plan` plans a run of a tiny source in so many shards, three jobs each, and `sources` the corpus of so many tiny sources
in four shards. `submit` submits so many trivial jobs, none of
which begins, and cancels them. `finish` runs them to their end, with more options of Snakemake. Both need a SLURM of
one's own, such as that of tests/slurm/setup.sh, and use the profile that users get.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "scripts"), str(PROJECT / "tests"), str(Path(__file__).parent)]

import psutil

from cost import cost_of
from workspace import make_workspace, quiet_environment

SNAKEMAKE = [sys.executable, "-m", "snakemake"]
TRIVIAL = """\
rule all:
    input: expand("made/{{number}}", number=range({jobs}))

rule make:
    output: "made/{{number}}"
    shell: "touch {{output}}"
"""
POLLING = ["--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "10", "--quiet", "host", "reason"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["plan", "sources", "submit", "finish"])
    parser.add_argument("number", type=int, help="shards, sources, or jobs")
    parser.add_argument("--seconds", type=int, default=3600, help="when to give up")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="options of Snakemake, at the end")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.what == "plan":
            plan(Path(folder) / "project", "results/sft_model", shards=args.number)
        elif args.what == "sources":
            plan(Path(folder) / "project", "results/corpus/manifest.json", shards=4, sources=args.number)
        else:
            cluster(Path(folder), args.number, args.what == "submit", args.seconds, args.options)


def plan(root: Path, target: str, shards: int, sources: int = 1) -> None:
    """Print what a dry run takes."""
    workspace = make_workspace(root)
    workspace.configure(corpus={"shards": shards})
    names = [f"source{number}" for number in range(sources)]
    for name in names:
        shutil.copyfile(root / "data" / "stories.jsonl", root / "data" / f"{name}.jsonl")
    workspace.write_sheet("corpus", **{name: f"data/{name}.jsonl" for name in names})
    os.chdir(root)
    cost = cost_of([[*SNAKEMAKE, "--cores", "2", "-n", "--quiet", "all", "--", target]], quiet_environment())
    jobs = len(re.findall(r"^rule ", workspace.make("-n", "--", target), re.MULTILINE))
    print(f"{jobs} jobs: {cost.seconds:.1f} s of a processor, {cost.megabytes:.0f} MB")


def cluster(root: Path, jobs: int, hold: bool, seconds: int, options: Sequence[str]) -> None:
    """Print how fast jobs are submitted and end, and what Snakemake takes."""
    (root / "Snakefile").write_text(TRIVIAL.format(jobs=jobs), encoding="utf-8")
    command = [*SNAKEMAKE, "--workflow-profile", str(PROJECT / "profiles" / "slurm"), "--jobs", str(jobs), *POLLING]
    if hold:
        command += ["--set-resources", "make:slurm_extra='--begin=now+1day'"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=root,
        env=quiet_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watch(process, jobs if hold else None, seconds)


def watch(process: subprocess.Popen[str], submissions: int | None, seconds: int) -> None:
    """Follow Snakemake to its end, or until it has submitted so many jobs, then stop it."""
    start, submitted, ended = time.perf_counter(), list[float](), 0
    snakemake = psutil.Process(process.pid)
    peak = 0
    assert process.stdout
    signal.signal(signal.SIGALRM, lambda number, frame: process.send_signal(signal.SIGINT))
    signal.alarm(seconds)
    for line in process.stdout:
        now = time.perf_counter() - start
        if "submitted with SLURM jobid" in line or "Submitted array job" in line:
            submitted.append(now)
            peak = max(peak, snakemake.memory_info().rss)
            used = snakemake.cpu_times()
            if len(submitted) == submissions:
                process.send_signal(signal.SIGINT)
        ended += line.startswith("Finished jobid")
    status = process.wait()
    if submitted:
        print(f"{len(submitted)} submissions in {submitted[-1] - submitted[0]:.1f} s, {peak / 1e6:.0f} MB")
        print(f"Snakemake itself: {used.user + used.system:.1f} s of a processor until the last of them")
    print(f"{ended} jobs ended in {time.perf_counter() - start:.1f} s, status {status}")


if __name__ == "__main__":
    main()
