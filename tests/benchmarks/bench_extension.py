"""What new tokens do to quality: bits per character right after extension and along training, at equal time.

    make bench-extension

Reads what the sweep measured at the sizes that extension.yaml names, measures what fitting rows and a training step
cost, and draws quality against time. Time is processor time of all cores, so that other work on the machine counts for
little; steps of the sizes are measured in turn, and a curve begins where fitting its rows ends. The other side of every
row is training without new tokens. It takes one thread, as several that wait for each other count as busy.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "scripts"), str(Path(__file__).parent)]

import matplotlib

matplotlib.use("svg")

import numpy as np
import torch
from bench_corpus import processor
from matplotlib.figure import Figure
from tokenizers import Tokenizer

from lib.core.outputs import read_json
from lib.corpus.storage.reader import texts
from lib.extended_model.extend import extend_model
from lib.models.compute import pick_precision
from lib.models.document_tokens import recorded_document_tokens
from lib.models.loading import load_model, quiet_libraries
from lib.runs.names import run_folder, run_name
from lib.runs.settings_files import read_settings
from lib.settings.pipeline import PipelineSettings
from lib.tokenizer.continued_bpe import constituents
from lib.training.short_run import blocks, train_briefly

ROUNDS = 3
STEPS = 6  # in a round; the first is not counted
OTHER = "no new tokens"


@dataclass(frozen=True)
class Curve:
    """Quality of one vocabulary size along training."""

    new_tokens: int
    seconds: list[float]
    """Of processor time, fitting included."""
    bits: list[float]
    """Per character of held-out text."""

    def at(self, seconds: float) -> float:
        """Bits per character at this time, interpolated; infinite before the rows are fitted."""
        return float(np.interp(seconds, self.seconds, self.bits, left=np.inf))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, nargs="+", required=True, help="settings files; a later one wins")
    parser.add_argument("--picture", type=Path, default=PROJECT / "docs" / "extension.svg")
    parser.add_argument("--output", type=Path, default=PROJECT / "results" / "benchmarks" / "extension.json")
    args = parser.parse_args()
    quiet_libraries()
    settings = read_settings(args.config)
    results = PROJECT / run_folder(run_name(settings.run, args.config)) / "results"
    base_model, corpus = (results / stage / "manifest.json" for stage in ("base_model", "corpus"))
    sizes = settings.sweep.sizes
    costs = measure(settings, base_model, corpus, results / "sweep", sizes)
    curves = [curve(read_json(results / "sweep" / str(size) / "scores.json"), *costs[size]) for size in sizes]
    rows = list(compare(curves, costs))
    machine = {"cpu": processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    args.output.parent.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine, "rows": rows}
    args.output.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    for row in rows:
        print(f"{row['what']:60} {row['ours']:>9} {row['other']:>9} {row['unit']:24} {row['ratio']:>6}", flush=True)
    for one in curves[1:]:
        print(f"{one.new_tokens:,} new tokens: {where_they_cross(one, curves[0])}", flush=True)
    draw(curves, args.picture)


def measure(
    settings: PipelineSettings, base_model: Path, corpus: Path, sweep: Path, sizes: list[int]
) -> dict[int, tuple[float, float]]:
    """For every size, processor seconds that fitting takes, and those of a training step (median of all rounds)."""
    precision = pick_precision(settings.pretrain.precision, torch.device("cpu"))
    base = Tokenizer.from_file(str(base_model.parent / "tokenizer.json"))
    text = [text for _, text in texts(corpus, "train")]
    fits: dict[int, float] = {}
    steps: dict[int, list[float]] = {size: [] for size in sizes}
    for number in range(1 + ROUNDS):
        for size in sizes:
            directory = sweep / str(size) / "tokenizer"
            extended = Tokenizer.from_file(str(directory / "tokenizer.json"))
            document = recorded_document_tokens(base_model, extended)
            new_tokens = constituents(base, extended)
            model = load_model(base_model.parent).requires_grad_(False).eval()
            # Rows are fitted once; a step takes as long whatever they are.
            initialization = settings.tokenizer.model_copy(update={"initialization": "mean"} if number else {})
            start = time.process_time()
            read = texts(corpus, "train")
            extend_model(model, new_tokens, extended, document.before, read, initialization, precision, settings.seed)
            if number == 0:
                fits[size] = time.process_time() - start
                continue
            times: list[float] = []
            train_briefly(
                model,
                blocks(
                    text, lambda one, of=extended: of.encode(one).ids, document.between, settings.pretrain.block_size
                ),
                STEPS,
                settings.pretrain,
                list(new_tokens),
                precision,
                settings.seed,
                lambda step, loss, to=times: to.append(time.process_time()),
            )
            steps[size] += np.diff(times).tolist()
    return {size: (fits[size], median(steps[size])) for size in sizes}


def curve(scores: Mapping[str, Any], fit: float, step: float) -> Curve:
    points = scores["curve"]
    return Curve(
        scores["new_tokens"],
        [fit + step * point["step"] for point in points],
        [point["bits_per_character"] for point in points],
    )


def compare(curves: list[Curve], costs: Mapping[int, tuple[float, float]]) -> Iterator[dict[str, Any]]:
    """Rows of the result: what each size costs, and its quality right after extension and when both have trained."""
    none = curves[0]
    for one in curves[1:]:
        name = f"{one.new_tokens:,} new tokens"
        fit, step = costs[one.new_tokens]
        yield row(f"{name}: training step", step, costs[0][1], "s of processor time")
        yield row(f"{name}: right after extension", one.bits[0], none.bits[0], "bits per character")
        end = min(one.seconds[-1], none.seconds[-1])
        # Both have been measured at these times, unless fitting alone took longer than the other's whole training.
        for seconds in ((fit + end) / 2, end) if fit < end else ():
            yield row(f"{name}: at {seconds:.0f} s", one.at(seconds), none.at(seconds), "bits per character")


def row(what: str, ours: float, other: float, unit: str) -> dict[str, Any]:
    """A row of the result; less is better."""
    values = {"ours": round(ours, 3), "other": round(other, 3), "other_name": OTHER, "unit": unit}
    return {"what": what, **values, "ratio": round(other / ours, 3)}


def where_they_cross(one: Curve, none: Curve) -> str:
    """From when on the extended model is ahead to the end, in words."""
    times = np.linspace(one.seconds[0], min(one.seconds[-1], none.seconds[-1]), 500)
    behind = [seconds for seconds in times if one.at(seconds) >= none.at(seconds)]
    if not behind:
        return f"ahead from the start, at {times[0]:.0f} s"
    return (
        f"behind up to the end, at {times[-1]:.0f} s" if behind[-1] == times[-1] else f"ahead from {behind[-1]:.0f} s"
    )


def draw(curves: list[Curve], path: Path) -> None:
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "extension", "font.size": 9}):
        figure = Figure(figsize=(7, 3.8), layout="constrained", facecolor="white")
        axes = figure.subplots()
        for one in curves:
            axes.plot(one.seconds, one.bits, marker="o", ms=4, label=f"{one.new_tokens:,} new tokens")
        axes.set_xlabel("processor time in seconds, fitting of rows included")
        axes.set_ylabel("bits per character, held-out text")
        axes.set_xlim(left=0)
        axes.grid(axis="y", linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
