r"""Describe the finished corpus for people: what is in it, where it is from, what each step did.

    python scripts/data_card.py --settings '{"minimum_length": 100}' --sheet config/corpus.tsv \
        --corpus results/corpus/manifest.json --summary results/corpus/summary.tsv --output results/corpus/origins.json

Reads, beside the manifest, raw/SOURCE.json, mix/SOURCE.json, shared_lines/SOURCE.parquet and with corpus.good_examples
quality/manifest.json. Writes README.md and origins.json, the addresses and licences by source. Neither shapes any text,
so later steps that make models do not depend on them.
"""

from pathlib import Path

import pandas as pd

from lib.core.credentials import without_secrets
from lib.core.outputs import new_file, read_json, write_json
from lib.core.places import local_path
from lib.core.program import program_parser, run, say
from lib.corpus.data_card import data_card
from lib.corpus.duplicates.shared_lines import first_shared_lines
from lib.corpus.quality.judgement import Judgement
from lib.settings.base import from_json
from lib.settings.corpus import PreparationSettings, SourceSettings
from lib.settings.sheets import read_sheet

EXAMPLES = 5
"""Shared lines of each source that the card shows."""


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--sheet", required=True, help="the sources, which may be too many for a command line")
    parser.add_argument("--corpus", type=Path, required=True, help="manifest.json")
    parser.add_argument("--summary", type=Path, required=True, help="summary.tsv")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(PreparationSettings, args.settings)
    directory: Path = args.corpus.parent

    sources = list(read_sheet(local_path(args.sheet), SourceSettings).values())
    manifest = read_json(args.corpus)
    raw = {source.name: read_json(directory / "raw" / f"{source.name}.json") for source in sources}
    mix = {source.name: read_json(directory / "mix" / f"{source.name}.json") for source in sources}
    lines = {
        source.name: first_shared_lines(directory / "shared_lines" / f"{source.name}.parquet", EXAMPLES)
        for source in sources
    }
    with new_file(directory / "README.md") as path:
        path.write_text(
            data_card(
                [(source, raw[source.name], lines[source.name]) for source in sources],
                [source.name for source in sources if mix[source.name]["held_out"]],
                manifest["counts"],
                pd.read_csv(args.summary, sep="\t", keep_default_na=False),
                settings,
                manifest["seed"],
                judgement(directory) if settings.good_examples else "",
            ),
            encoding="utf-8",
        )
    with new_file(args.output) as path:
        write_json(
            path,
            {
                "addresses": {source.name: without_secrets(source.uri) for source in sources},
                "licenses": {source.name: source.license for source in sources},
            },
        )
    say(f"corpus: described in {directory / 'README.md'}")


def judgement(directory: Path) -> str:
    """How well the classifier of quality tells examples apart."""
    counts, facts = (read_json(directory / "quality" / "manifest.json")[key] for key in ("counts", "facts"))
    at_limit = Judgement(*(facts["held_out"][name] for name in ("limit", "recall", "specificity")))
    return f"of {counts['good']:,} good and {counts['bad']:,} bad ones, {at_limit.sentence()}"


if __name__ == "__main__":
    run(main)
