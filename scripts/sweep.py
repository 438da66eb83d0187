r"""Gather what was measured at every vocabulary size: a table and a picture.

    python scripts/sweep.py --scores results/sweep/0/scores.json results/sweep/2000/scores.json \
        --table results/tokenizer/sweep.tsv --picture results/tokenizer/sweep.svg
"""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

import pandas as pd
from matplotlib.figure import Figure

from lib.core.outputs import new_file, read_json
from lib.core.program import program_parser, run, say


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="what `sweep_size` wrote for each size")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--picture", type=Path, required=True)
    args = parser.parse_args()
    table = sweep_table([read_json(path) for path in args.scores])
    with new_file(args.picture) as path:
        draw(table, path)
    with new_file(args.table) as path:
        table.to_csv(path, sep="\t", index=False)
    best = min(table.to_dict("records"), key=lambda row: row["bits_per_character_trained"])
    say(
        f"sweep: lowest after training: {best['bits_per_character_trained']} bits per character with "
        f"{best['new_tokens']:,} new tokens; table in {args.table}",
    )


def sweep_table(scores: list[dict[str, Any]]) -> pd.DataFrame:
    """A row per size, in ascending order."""
    rows = [
        {
            "new_tokens": size["new_tokens"],
            "parameters_added": size["parameters_added"],
            "characters_per_token": size["curve"][0]["characters_per_token"],
            "bits_per_character_extended": size["curve"][0]["bits_per_character"],
            "bits_per_character_trained": size["curve"][-1]["bits_per_character"],
            "steps": size["curve"][-1]["step"],
            "training_tokens": size["training_tokens"],
        }
        for size in scores
    ]
    return pd.DataFrame(rows).sort_values("new_tokens", ignore_index=True)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Characters per token and bits per character against the number of new tokens, as SVG."""
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sweep", "font.size": 9}):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        length, quality = figure.subplots(1, 2)
        length.plot(table["new_tokens"], table["characters_per_token"], marker="o", color="tab:blue")
        length.set_ylabel("characters per token")
        steps = table["steps"].iloc[0]
        for column, label in (("extended", "right after extension"), ("trained", f"after {steps} training steps")):
            quality.plot(table["new_tokens"], table[f"bits_per_character_{column}"], marker="o", label=label)
        quality.set_ylabel("bits per character, held-out text")
        quality.legend(frameon=False)
        for axes in (length, quality):
            axes.set_xlabel("new tokens")
            axes.grid(axis="y", linewidth=0.5)
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    run(main)
