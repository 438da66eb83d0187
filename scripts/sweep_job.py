r"""Run a program for one point of a sweep; a training that fails by the point's settings becomes a result.

Usage:
    python scripts/sweep_job.py scripts/pretrain.py --settings '{"rank": 16}' --seed 1 --gpu 0 \
        --model results/extended_model/manifest.json --data results/pretrain_data/manifest.json \
        --output results/sweep/pretrain_lora/0123456789ab/manifest.json

What fails is a loss that is not a number, or a GPU that has too little memory. The other programs for that point then
have nothing to do, and the point is a row of the table. Everything else that goes wrong ends the sweep.
"""

import argparse
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import FrameType

from lib.core.errors import DivergedError, OutOfMemoryError
from lib.core.manifest import NAME
from lib.core.outputs import new_directory, new_file, read_json, write_json
from lib.core.program import program_parser, run, say

FAILURES = {DivergedError.status: "diverged", OutOfMemoryError.status: "out of memory"}
"""What a training has come to, by the status that it ends with."""
OUTPUTS = ("--output", "--scores", "--measurements")


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("program", help="program to run")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="its options")
    args = parser.parse_args()
    given: list[str] = args.options
    outputs = [Path(value) for option, value in pairwise(given) if option in OUTPUTS]
    failure = failure_before(given, outputs)
    if failure is None:
        status, error = run_program([args.program, *given])
        if status not in FAILURES:
            sys.exit(status)
        failure = {"name": FAILURES[status], "sentence": error.removeprefix("error: ")}
    say(f"sweep: this point is in the table as {failure['name']}")
    for path in outputs:
        write_failure(path, failure)


def failure_before(options: list[str], outputs: list[Path]) -> dict[str, str] | None:
    """Why there is nothing to run: a failure that one of the inputs holds; None when there is none."""
    for path in map(Path, options):
        if path.name == NAME and path not in outputs:
            failure: dict[str, str] | None = read_json(path)["facts"].get("failure")
            if failure:
                return failure
    return None


def run_program(command: list[str]) -> tuple[int, str]:
    """Run a program to its end, passing on signals; its status and the last line that it wrote to stderr."""
    with subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True, errors="replace") as process:

        def pass_on(number: int, frame: FrameType | None) -> None:
            process.send_signal(number)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, pass_on)
        last = ""
        assert process.stderr is not None
        for line in process.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            last = line.strip() or last
        status = process.wait()
    return status if status >= 0 else 128 - status, last


def write_failure(output: Path, failure: dict[str, str]) -> None:
    """Write what tells of the failure in place of an output: a manifest, scores, or an empty table of measurements."""
    if output.name == NAME:
        with new_directory(output.parent) as directory:
            write_json(directory / NAME, {"files": {}, "counts": {}, "facts": {"failure": failure}})
    else:
        with new_file(output) as path:
            if output.suffix == ".json":
                write_json(path, {"failure": failure})
            else:
                path.touch()


if __name__ == "__main__":
    run(main)
