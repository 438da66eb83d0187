"""Describe a run's results as an RO-Crate: what was made of what, by which code, under which licences.

Usage:
    python scripts/crate.py --results results
    python scripts/crate.py --results runs/my_run/results

Writes ro-crate-metadata.json (RO-Crate 1.1, https://w3id.org/ro/crate) into the folder, from the manifests in it. The
folder is then a crate that repositories and registries of research data read.
"""

from pathlib import Path

from lib.core.code_version import code_version
from lib.core.errors import UserError
from lib.core.outputs import new_file
from lib.core.program import program_parser, run, say
from lib.runs.crate import METADATA, described
from lib.runs.names import DEMO_NAME


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the results")
    args = parser.parse_args()
    if not any(args.results.glob("*/manifest.json")):
        raise UserError(f"{args.results} holds no results; `make run` makes them")
    target = args.results / METADATA
    with new_file(target) as path:
        path.write_text(
            described(args.results, args.results.parent.name or DEMO_NAME, code_version()), encoding="utf-8"
        )
    say(f"crate: {target}")


if __name__ == "__main__":
    run(main)
