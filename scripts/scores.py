r"""Gather what was measured on every model: tables of scores with their intervals, and the answers side by side.

Usage:
    python scripts/scores.py --results results/evaluation/base.json results/evaluation/pretrained.json \
        --measurements results/evaluation/items/base.tsv results/evaluation/items/pretrained.tsv \
        --table results/evaluation/scores.tsv --parts results/evaluation/parts.tsv \
        --figures results/evaluation/figures.tsv --differences results/evaluation/differences.tsv \
        --answers results/evaluation/answers.md
"""

from pathlib import Path
from typing import Any

import pandas as pd

from lib.core.outputs import new_file, read_json
from lib.core.page_templates import markdown_text
from lib.core.program import program_parser, run, say, visible
from lib.evaluation.figures import difference_table, figure_table
from lib.evaluation.forgetting import forgetting
from lib.evaluation.items import read_items
from lib.evaluation.score_table import in_order, parts_table, score_table
from lib.settings.evaluation import MODELS


def answers_document(results: list[dict[str, Any]]) -> str:
    """Markdown with each sample prompt and what every model answered to it."""
    lines = ["# Sample answers", "", "Greedy answers; `…` marks one that did not end by itself.", ""]
    for number, asked in enumerate(results[0]["answers"]):
        lines += [f"## {markdown_text(asked['prompt'])}", ""]
        for result in results:
            answer = result["answers"][number]
            lines += [
                f"**{MODELS[result['model']]}**",
                "",
                *quoted(answer["answer"] + ("" if answer["ended"] else " …")),
            ]
            lines.append("")
    return "\n".join(lines)


def quoted(text: str) -> list[str]:
    """The text as a Markdown block that shows every character as it is: four spaces before each line."""
    return [f"    {line}".rstrip() for line in visible(text).splitlines()]


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--results", type=Path, nargs="+", required=True, help="what `evaluate` wrote for each model")
    parser.add_argument(
        "--measurements", type=Path, nargs="+", required=True, help="tables of items, called like their models"
    )
    parser.add_argument("--table", type=Path, required=True, help="table to write: a row per model")
    parser.add_argument(
        "--parts", type=Path, required=True, help="table to write: a row per model, source and category"
    )
    parser.add_argument(
        "--figures", type=Path, required=True, help="table to write: figures by model and part, with intervals"
    )
    parser.add_argument("--differences", type=Path, required=True, help="table to write: differences between models")
    parser.add_argument("--answers", type=Path, required=True, help="Markdown file to write")
    args = parser.parse_args()
    results = in_order([read_json(path) for path in args.results])
    items = [(path.stem, read_items(path)) for path in args.measurements]
    measured = {
        result["model"]: pd.concat([some for model, some in items if model == result["model"]], ignore_index=True)
        for result in results
    }
    figures = figure_table(measured)
    table = score_table(results, figures)
    differences = difference_table(measured)
    for target, frame in ((args.figures, figures), (args.differences, differences)):
        with new_file(target) as path:
            frame.to_csv(path, sep="\t", index=False)
    with new_file(args.answers) as path:
        path.write_text(answers_document(results), encoding="utf-8")
    with new_file(args.parts) as path:
        parts_table(results).to_csv(path, sep="\t", index=False)
    with new_file(args.table) as path:
        table.to_csv(path, sep="\t", index=False)
    for one in forgetting(differences):
        say(f"evaluation: {one.sentence}")
    say(f"evaluation: scores of {len(results)} models are in {args.table}")


if __name__ == "__main__":
    run(main)
