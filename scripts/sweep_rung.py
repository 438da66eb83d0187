r"""Decide which points of a sweep go on to the next rung of successive halving.

    python scripts/sweep_rung.py --points '{"0": {…}, "1": {…}}' --members '{"rung": 1, "point": "0", …}' … \
        --candidates '{"1": "9f86d081884c"}' --slots 4 --metric text_bits_per_character \
        --output results/sweep/rung2.json

Options in JSON are written by `lib.sweep.plan`. The run's own settings go on in any case and take no slot. The file
holds the points in the order of the slots, with the hashes of what they will make, so that it changes when their
settings do.
"""

import json
from pathlib import Path

from lib.core.errors import UserError
from lib.core.outputs import new_file, write_json
from lib.core.program import program_parser, run, say
from lib.sweep.members import read_members
from lib.sweep.points import DEFAULT
from lib.sweep.selection import kept


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--points", required=True, help="JSON: what points change")
    parser.add_argument("--members", nargs="+", required=True, help="JSON for each point of the rung before")
    parser.add_argument("--candidates", type=json.loads, required=True, help="JSON: hash of each point's next result")
    parser.add_argument("--slots", type=int, required=True, help="number of points that are kept")
    parser.add_argument("--metric", required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    members = [one for one in read_members(args.members, args.points, args.metric) if one.point != DEFAULT]
    if all(one.failure for one in members):
        raise UserError(f"sweep: no other point could be trained: {members[0].failure['sentence']}")
    values = [one.chosen_by for one in members]
    places = kept(values, args.slots)
    points = [members[place].point for place in places]
    with new_file(args.output) as path:
        write_json(path, {"points": points, "results": [args.candidates[point] for point in points]})
    figures = [one.failure.get("name") or f"{one.chosen_by:.3f}" for one in members]
    shown = ", ".join(f"{members[place].point} ({figures[place]})" for place in places)
    say(f"sweep: {len(points)} of {len(members)} points go on, with bits per character: {shown}")


if __name__ == "__main__":
    run(main)
