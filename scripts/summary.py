"""Say what a finished run made, how good it is and what to do next.

Usage:
    python scripts/summary.py --model results/sft_model --table results/evaluation/scores.tsv
"""

import argparse
from pathlib import Path

from lib.core.errors import run
from lib.evaluation.score_table import read_score_table, render


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("results/sft_model"), help="the finished model")
    parser.add_argument("--table", type=Path, default=Path("results/evaluation/scores.tsv"), help="table of scores")
    arguments = parser.parse_args()
    print(
        f"\n{render(read_score_table(arguments.table))}\n\n"
        f"The model is in {arguments.model}; sample answers are in {arguments.table.with_name('answers.md')}.\n"
        "Next: `make chat` to talk to it, `make report` for the page with curves and figures."
    )


if __name__ == "__main__":
    run(main)
