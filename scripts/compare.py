"""Put runs side by side: what differs in their settings, scores with their differences, curves on one axis.

Usage:
    python scripts/compare.py                      # all runs
    python scripts/compare.py demo my_run          # the first one is what the others are compared with

Prints the tables and writes runs/compare.html, with the curves too. Settings are those that the results were made with.
"""

from pathlib import Path

from lib.core.errors import UserError
from lib.core.program import program_parser, run, say
from lib.report.page import write_page
from lib.runs.comparison import Run, as_text, charts, scores_table, settings_table
from lib.runs.names import DEMO_NAME, FOLDER, existing_runs


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("runs", nargs="*", help="names of runs, demo for the one without; all when none is given")
    parser.add_argument("--output", type=Path, default=Path(FOLDER) / "compare.html", help="HTML file to write")
    args = parser.parse_args()
    names = args.runs or [name or DEMO_NAME for name in existing_runs(Path())]
    if len(names) < 2:
        raise UserError(f"two runs or more can be compared, and there is {names[0] if names else 'none'}")
    runs = [Run.of(Path(), name) for name in dict.fromkeys(names)]
    settings, scores = settings_table(runs), scores_table(runs)
    say(f"{as_text(settings)}\n\n{as_text(scores)}\n")
    write_page(
        args.output,
        "compare.html.jinja",
        title="Runs side by side",
        footer="Written by scripts/compare.py from the files in results/ of each run.",
        runs=[one.name for one in runs],
        settings=settings,
        scores=scores,
        charts=charts(runs),
    )
    say(f"compare: the page with the curves is {args.output}")


if __name__ == "__main__":
    run(main)
