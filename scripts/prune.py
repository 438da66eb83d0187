"""List what a run has of sources and shards that its settings no longer name, or remove it.

Usage:
    python scripts/prune.py                        # the demo's
    python scripts/prune.py my_run.yaml
    python scripts/prune.py my_run.yaml --remove

Nothing of it is used by the run; it takes room only.
"""

from pathlib import Path

from lib.core.program import program_parser, run, say
from lib.runs.leftovers import leftovers, remove, size_of
from lib.runs.names import run_folder, run_name
from lib.runs.settings_files import read_settings
from lib.settings.corpus import SourceSettings
from lib.settings.sheets import read_sheet


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="the run's settings files; none for the demo")
    parser.add_argument("--remove", action="store_true", help="remove what is listed")
    args = parser.parse_args()
    settings = read_settings(args.files)
    folder = run_folder(run_name(settings.run, args.files))
    sources = read_sheet(Path(settings.corpus.sources), SourceSettings) if settings.corpus.enabled else {}
    found = leftovers(folder, sources, settings.corpus.shards)
    total = 0
    for path in found:
        size = size_of(path)
        total += size
        say(f"{size / 1e6:10.1f} MB  {path}")
    if not found:
        say("prune: nothing is left of other sources or shards")
    elif args.remove:
        remove(folder, found)
        say(f"prune: removed {total / 1e6:.1f} MB")
    else:
        say(f"prune: {total / 1e6:.1f} MB that the run does not use; `make prune YES=1` removes it")


if __name__ == "__main__":
    run(main)
