r"""Put the points of a sweep into one table, one picture and one page, and the best of them into a settings file.

    python scripts/sweep.py --points '{"0": {…}, "1": {…}}' --members '{"rung": 1, "point": "0", …}' … \
        --metric text_bits_per_character --name demo --table results/sweep/table.tsv \
        --importance results/sweep/importance.tsv --picture results/sweep/sweep.svg \
        --page results/sweep/report.html --best results/sweep/best.yaml

Options in JSON are written by `lib.sweep.plan`.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lib.core.errors import UserError
from lib.core.outputs import new_file
from lib.core.program import program_parser, run, say
from lib.evaluation.intervals import Interval
from lib.report.charts import Chart, Line
from lib.report.page import write_page
from lib.report.tables import (
    NOTHING,
    Cell,
    Column,
    RichText,
    Table,
    duration_text,
    number_text,
    share_text,
    text_column,
    with_minus,
)
from lib.settings.evaluation import FIGURES
from lib.sweep.best import best_settings
from lib.sweep.importance import importance
from lib.sweep.members import Measured, read_members
from lib.sweep.picture import draw
from lib.sweep.points import DEFAULT
from lib.sweep.selection import checked_difference, checked_value

CURVES = 5
"""Curves on the page: those of the best points, and of the run's own settings."""


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--points", required=True, help="JSON: what points change")
    parser.add_argument("--members", nargs="+", required=True, help="JSON for each point of each rung")
    parser.add_argument("--metric", required=True)
    parser.add_argument("--name", required=True, help="name of the run")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--importance", type=Path, required=True)
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--best", type=Path, required=True)
    args = parser.parse_args()
    members = read_members(args.members, args.points, args.metric)
    table = sweep_table(members)
    best = best_member(members)
    sentence = what_is_best(best, own_settings(members, best.rung), args.metric)
    shares = importance_table(members)
    write(args, members, table, shares, best, sentence)
    say(f"sweep: {sentence}; table in {args.table}, settings in {args.best}")


def sweep_table(members: Sequence[Measured]) -> pd.DataFrame:
    """A row for each point in each rung: its values, what it scored, and how it differs from the run's own settings."""
    rows = []
    for one in members:
        difference = difference_from(own_settings(members, one.rung), one)
        value, low, high = (difference.value, difference.low, difference.high) if difference else [math.nan] * 3
        verdict = "" if one.point == DEFAULT or not difference else difference.verdict("lower")
        control = one.scores.get("control") or {}
        rows.append(
            {
                "rung": one.rung,
                "point": one.point,
                **one.changes,
                "steps": one.steps,
                "seconds": one.seconds,
                "chosen_by": round(one.chosen_by, 4),
                "checked_on": math.nan if one.failure else round(checked_value(one.items), 4),
                "difference": round(value, 4),
                "low": round(low, 4),
                "high": round(high, 4),
                "verdict": one.failure.get("name", verdict),
                "control_bits_per_character": control.get("bits_per_character"),
                "curves": one.verdicts,
                "failure": one.failure.get("sentence", ""),
            }
        )
    frame = pd.DataFrame(rows).astype({"steps": "Int64"})
    return frame.sort_values(["rung", "chosen_by"], ascending=[False, True], ignore_index=True)


def difference_from(own: Measured, one: Measured) -> Interval | None:
    """How far a point is above the run's own settings; None when one of the two could not be trained."""
    return None if own.failure or one.failure else checked_difference(one.items, own.items)


def own_settings(members: Sequence[Measured], rung: int) -> Measured:
    """The run's own settings in that rung."""
    return next(one for one in members if one.point == DEFAULT and one.rung == rung)


def best_member(members: Sequence[Measured]) -> Measured:
    """The one with the lowest figure in the last rung, on the half of the texts that points are chosen by.

    Raises UserError when none could be trained.
    """
    last = [one for one in members if one.rung == max(one.rung for one in members)]
    usable = [one for one in last if not one.failure]
    if not usable:
        raise UserError(f"sweep: no point could be trained: {last[0].failure['sentence']}")
    return min(usable, key=lambda one: (one.chosen_by, one.point))


def what_is_best(best: Measured, own: Measured, metric: str) -> str:
    """A sentence on the best point and how sure it is that it is better than the run's own settings."""
    measured = FIGURES[metric].title
    if best.point == DEFAULT:
        return f"the run's own settings are the best of all points on {measured}"
    values = ", ".join(f"{key}: {value}" for key, value in best.changes.items())
    difference = difference_from(own, best)
    if not difference:
        return (
            f"point {best.point} ({values}) is the best of those that could be trained on {measured}; the run's own "
            f"settings could not ({own.failure['name']})"
        )
    verdict = {
        "better": "is better than the run's own settings",
        "worse": "was the best by chance: on the other half of the texts it is worse than the run's own settings",
        "cannot tell": "is not told apart from the run's own settings",
    }[difference.verdict("lower")]
    return (
        f"point {best.point} ({values}) {verdict}: {difference.value:+.3f} bits per character of {measured}, "
        f"95 % interval {difference.low:+.3f} to {difference.high:+.3f}"
    )


def importance_table(members: Sequence[Measured]) -> pd.DataFrame:
    """The share of the differences between points that each setting explains, in the rung with all points."""
    first = [one for one in members if one.rung == 1]
    shares = importance([one.changes for one in first], [one.chosen_by for one in first])
    return pd.DataFrame({"setting": list(shares), "share": [round(share, 3) for share in shares.values()]})


def write(
    args: argparse.Namespace,
    members: Sequence[Measured],
    table: pd.DataFrame,
    shares: pd.DataFrame,
    best: Measured,
    sentence: str,
) -> None:
    keys = list(best.changes)
    with new_file(args.table) as path:
        table.to_csv(path, sep="\t", index=False)
    with new_file(args.importance) as path:
        shares.to_csv(path, sep="\t", index=False)
    with new_file(args.picture) as path:
        draw(table, keys, path)
    with new_file(args.best) as path:
        path.write_text(best_settings(args.name, best.changes, sentence), encoding="utf-8")
    write_page(
        args.page,
        "sweep.html.jinja",
        title="Experiments with the settings",
        footer="Written by the rule sweep from the files in results/sweep/.",
        name=args.name,
        sentence=sentence,
        points=points_table(table, keys),
        importance=shares_table(shares),
        charts=curves(members, table),
        picture=args.picture.read_text(encoding="utf-8").partition("<svg")[2],
    )


def points_table(table: pd.DataFrame, keys: Sequence[str]) -> Table:
    """The table as a page shows it, the best point first."""
    unit = "bits per character"
    columns = [
        *(text_column("point"), *(Column(key) for key in keys), Column("chosen by", unit, "lower")),
        *(Column("difference", unit, "lower"), text_column("which is"), Column("checked on", unit, "lower")),
        *(text_column("curves"), Column("rung"), Column("steps"), Column("time")),
    ]
    rows: list[list[Cell]] = []
    for place, row in enumerate(table.to_dict("records")):
        interval = with_minus(f"{row['low']:+.3f} to {row['high']:+.3f}")
        is_own = row["point"] == DEFAULT
        rows.append(
            [
                "the run's own" if is_own else str(row["point"]),
                *(_value_text(row[key]) for key in keys),
                RichText(number_text(row["chosen_by"]), is_best=place == 0),
                NOTHING
                if is_own or pd.isna(row["difference"])
                else RichText(with_minus(f"{row['difference']:+.3f}"), interval),
                RichText(row["verdict"] or NOTHING, row["failure"]),
                number_text(row["checked_on"]),
                row["curves"] or NOTHING,
                number_text(row["rung"]),
                number_text(row["steps"]),
                NOTHING if pd.isna(row["seconds"]) else duration_text(row["seconds"]),
            ]
        )
    return Table("Points", columns, rows)


def _value_text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def shares_table(shares: pd.DataFrame) -> Table:
    rows: list[list[Cell]] = [
        [RichText(str(key), is_code=True), NOTHING if pd.isna(share) else share_text(float(share))]
        for key, share in zip(shares["setting"], shares["share"], strict=True)
    ]
    return Table("Importance", [text_column("setting"), Column("share of the differences")], rows)


def curves(members: Sequence[Measured], table: pd.DataFrame) -> list[Chart]:
    """Validation loss against time of the best points and of the run's own settings, for each stage that varies."""
    last = table[table["rung"] == table["rung"].max()]
    shown = list(dict.fromkeys([*last["point"][:CURVES], DEFAULT]))
    last_rung = [one for one in members if one.rung == table["rung"].max()]
    found = [one for one in last_rung if one.point in shown and not one.failure]
    charts = []
    for place, trained in enumerate(found[0].trained if found else []):
        lines = []
        for color, one in enumerate(sorted(found, key=lambda one: shown.index(one.point))):
            this = one.trained[place]
            log = this.log.dropna(subset=["eval_loss"])
            seconds = this.seconds / max(float(this.log["step"].max()), 1)
            scale = 1.0 if pd.isna(seconds) else seconds
            label = "the run's own settings" if one.point == DEFAULT else f"point {one.point}"
            lines.append(Line(label, [step * scale for step in log["step"]], log["eval_loss"].tolist(), color))
        unit = "step" if any(pd.isna(one.trained[place].seconds) for one in found) else "seconds of training"
        charts.append(Chart(f"Validation loss: {trained.stage}", unit, "nats per token", lines, better="lower"))
    return charts


if __name__ == "__main__":
    run(main)
