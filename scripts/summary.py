"""Say what a finished run made, how good it is and what to do next.

Usage:
    python scripts/summary.py
    python scripts/summary.py --folder runs/my_run --files my_run.yaml
"""

import shlex
from pathlib import Path

from lib.core.program import program_parser, run, say
from lib.evaluation.score_table import read_score_table, render

FOLDERS = {
    "base": "base_model",
    "extended": "extended_model",
    "pretrained": "pretrain_model",
    "finetuned": "sft_model",
}
"""Where each of the models that are scored lies; the last one is the finished one."""


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--folder", type=Path, default=Path(), help="the run's folder; the demo's when not given")
    parser.add_argument(
        "--files", nargs="*", default=[], help="the run's settings files, for the commands to go on with"
    )
    args = parser.parse_args()
    results: Path = args.folder / "results"
    table = results / "evaluation" / "scores.tsv"
    scores = read_score_table(table)
    differences = read_score_table(table.with_name("differences.tsv"))
    model = results / FOLDERS[scores["model"].iloc[-1]]
    config = f" CONFIG={shlex.quote(' '.join(args.files))}" if args.files else ""
    say(
        f"\n{render(scores, differences)}\n\n"
        f"The model is in {model}; sample answers are in {table.with_name('answers.md')}.\n"
        f"Next: `make chat{config}` to talk to it, `make report{config}` for the page with curves and figures."
    )


if __name__ == "__main__":
    run(main)
