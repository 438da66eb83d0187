r"""Learn from examples of good and of bad documents what a document is worth.

    python scripts/quality.py --settings '{"good_examples": ["data/good"], "bad_examples": ["data/bad"]}' \
        --cleaning '{"minimum_quality": 0.5}' --reading '{}' --downloads work/downloads \
        --output results/corpus/quality/manifest.json

Writes into the output's folder classifier.npy, which `clean` scores documents with, and examples.parquet: of each
example whether it is good, its score, and its text. The score is by weights that were learned from other examples.
The manifest says how well the held-out examples are told apart.
"""

from pathlib import Path

import polars as pl

from lib.core.integrity import described_directory
from lib.core.manifest import write_manifest
from lib.core.program import program_parser, run, say
from lib.corpus.cleaning.clean import clean_texts
from lib.corpus.quality.classifier import FOLDS, learn
from lib.corpus.quality.examples import check_apart, chosen, read_examples
from lib.corpus.quality.judgement import Judgement
from lib.settings.base import from_json
from lib.settings.corpus import CleaningSettings, FetchSettings, QualitySettings

DOUBTFUL = 0.7
"""Share of held-out examples that are judged rightly, below which a warning is printed; tossing a coin has 0.5."""
LIMITS = [step / 10 for step in range(1, 10)]


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--cleaning", required=True, help="settings of cleaning, as JSON")
    parser.add_argument("--reading", required=True, help="how files are read, as JSON")
    parser.add_argument("--downloads", type=Path, default=Path("work/downloads"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(QualitySettings, args.settings)
    cleaning = from_json(CleaningSettings, args.cleaning)
    reading = from_json(FetchSettings, args.reading)

    good, bad = (
        chosen(key, read_examples(key, addresses, args.downloads, reading), lambda texts: clean_texts(texts, cleaning))
        for key, addresses in (("good_examples", settings.good_examples), ("bad_examples", settings.bad_examples))
    )
    check_apart(good, bad)
    classifier, of_good, of_bad = learn(good["text"].to_list(), bad["text"].to_list())
    examples = [
        frame.select(is_good=pl.lit(is_good), score=pl.Series(scores), text=pl.col("text"))
        for frame, scores, is_good in ((good, of_good, True), (bad, of_bad, False))
    ]
    judgement = Judgement.at(cleaning.minimum_quality, of_good, of_bad)
    with described_directory(args.output.parent) as directory:
        classifier.save(directory / "classifier.npy")
        pl.concat(examples).write_parquet(directory / "examples.parquet")
        write_manifest(
            directory,
            inputs={},
            counts={"good": len(good), "bad": len(bad)},
            settings=settings,
            packages=["numpy"],
            facts={
                "held_out": judgement.facts(),
                "by_limit": [Judgement.at(limit, of_good, of_bad).facts() for limit in LIMITS],
            },
        )
    say(f"corpus: quality: {len(good):,} good and {len(bad):,} bad examples, each held out once in {FOLDS} parts")
    say(f"corpus: quality: {judgement.sentence()}")
    if judgement.accuracy < DOUBTFUL:
        say(
            f"corpus: quality: warning: the examples can hardly be told apart; look at {args.output.parent}/"
            "examples.parquet for those on the wrong side, or give more of them"
        )


if __name__ == "__main__":
    run(main)
