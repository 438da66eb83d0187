r"""End the run with an error when a figure misses its bound.

Usage:
    python scripts/require.py --settings '{"require": {"text_bits_per_character": {"maximum": 8}}}' \
        --figures results/evaluation/figures.tsv --differences results/evaluation/differences.tsv \
        --output results/evaluation/require.tsv
"""

from pathlib import Path

from lib.core.errors import UserError
from lib.core.outputs import new_file
from lib.core.program import program_parser, run, say
from lib.evaluation.bounds import bound_table
from lib.evaluation.score_table import read_score_table
from lib.settings.base import from_json
from lib.settings.evaluation import EvaluationSettings


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True, help="settings of the evaluation stage, as JSON")
    parser.add_argument("--figures", type=Path, required=True, help="figures.tsv of the evaluation")
    parser.add_argument("--differences", type=Path, required=True, help="differences.tsv of the evaluation")
    parser.add_argument("--output", type=Path, required=True, help="table to write when all bounds are met")
    args = parser.parse_args()
    settings = from_json(EvaluationSettings, args.settings)
    table = bound_table(settings.require, read_score_table(args.figures), read_score_table(args.differences))
    missed = table[~table["met"]]
    if len(missed):
        raise UserError("; ".join(f"evaluation.require: {row['said']}" for _, row in missed.iterrows()))
    with new_file(args.output) as path:
        table.drop(columns="said").to_csv(path, sep="\t", index=False)
    say(f"evaluation: {len(table)} bounds are met")


if __name__ == "__main__":
    run(main)
