"""When new tokens pay: quality against processor time, with new tokens and without.

    make bench-extension

For every seed and number of new tokens, stage 1 of the demo at a constant rate, so that a point of a curve does not
depend on where the curve ends. Held-out chapters and held-out responses are scored along it, in bits per character.
Time is that of a processor, without scoring: fitting the rows comes first, then the steps. Two runs go side by side,
with one thread each, as threads that wait for each other count as busy. A curve crosses the one without new tokens at
the time from which on it stays below it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "scripts"), str(Path(__file__).parent)]

import matplotlib

matplotlib.use("svg")

import numpy as np
import yaml
from bench_corpus import ONE_THREAD, processor
from matplotlib.figure import Figure

from cost import cost_of
from lib.runs.settings_files import read_settings
from lib.settings.base import to_json
from lib.settings.pipeline import PipelineSettings
from lib.settings.pretrain import PretrainSettings
from lib.settings.tokenizer import InitializationSettings

HERE = Path(__file__).parent
SETTINGS = (PROJECT / "config" / "demo.yaml", HERE / "extension.yaml")
EVERY = 60  # steps between two points
MEASURED = {"text": "held-out chapters", "responses": "held-out responses"}


@dataclass(frozen=True)
class Curve:
    """One training run, point by point."""

    new_tokens: int
    seed: int
    fit: float
    """Seconds of a processor that fitting the rows took."""
    points: list[dict[str, float]]
    """Each with its step, seconds (of all steps before it) and bits per character of what is in `MEASURED`."""

    def seconds(self) -> list[float]:
        return [self.fit + point["seconds"] for point in self.points]

    def at(self, seconds: float, measured: str) -> float:
        """Bits per character at this time, interpolated; infinite before the rows are fitted."""
        bits = [point[measured] for point in self.points]
        return float(np.interp(seconds, self.seconds(), bits, left=np.inf))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--new-tokens", type=int, nargs="+", default=[2_000], help="numbers of new tokens, beside none")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--steps", type=int, default=480, help="of the runs with new tokens; others get a third more")
    parser.add_argument("--picture", type=Path, default=PROJECT / "docs" / "extension.svg")
    parser.add_argument("--output", type=Path, default=PROJECT / "results" / "benchmarks" / "extension.json")
    args = parser.parse_args()
    runs = [(new_tokens, seed) for seed in args.seeds for new_tokens in (0, *args.new_tokens)]
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as pool:
        work = Path(name)
        folders = [prepare(work, new_tokens, seed) for new_tokens, seed in runs]
        steps = [args.steps if new_tokens else args.steps * 4 // 3 for new_tokens, _ in runs]
        settings = read_settings(SETTINGS)
        measured = list(pool.map(lambda run: measure(settings, *run), zip(folders, steps, strict=True)))
    curves = [
        # Loading and writing a model, which a run without new tokens has, too, is no part of fitting rows.
        Curve(new_tokens, seed, fit - measured[runs.index((0, seed))][0], points)
        for (new_tokens, seed), (fit, points) in zip(runs, measured, strict=True)
    ]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cpu": processor(), "cores": os.cpu_count()}
    result = {"machine": machine, "curves": [asdict(curve) for curve in curves]}
    args.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for curve in curves:
        print_curve(curve)
    for new_tokens in args.new_tokens:
        for measured_on, title in MEASURED.items():
            print_comparison(f"{new_tokens:,} new tokens, {title}", pairs(curves, new_tokens), measured_on)
    draw(curves, args.picture)


def prepare(work: Path, new_tokens: int, seed: int) -> Path:
    """The folder of a run with all that stage 1 reads, but the model."""
    run = f"extension-{new_tokens}-{seed}"
    overlay = work / f"{run}.yaml"
    overlay.write_text(yaml.safe_dump({"run": run, "seed": seed, "tokenizer": {"new_tokens": new_tokens}}))
    command = ["snakemake", "--cores", "all", "--quiet", "all", "--configfile", *map(str, SETTINGS), str(overlay)]
    targets = ["results/pretrain_data/manifest.json", "results/sft_data/manifest.json"]
    subprocess.run([sys.executable, "-m", *command, "--", *targets], cwd=PROJECT, check=True)
    return PROJECT / "runs" / run / "results"


def measure(settings: PipelineSettings, results: Path, steps: int) -> tuple[float, list[dict[str, float]]]:
    """Processor seconds of extending the model of a run with these `results`, and the points of so many steps."""
    seed = json.loads((results / "pretrain_data" / "manifest.json").read_text(encoding="utf-8"))["seed"]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        model = work / "model" / "manifest.json"
        extension: list[object] = [sys.executable, PROJECT / "scripts" / "extended_model.py"]
        extension += ["--settings", to_json(settings.tokenizer, InitializationSettings), "--seed", seed, "--gpu", 0]
        for stage in ("base_model", "tokenizer", "corpus", "sft_data"):
            extension += [f"--{stage.replace('_', '-')}", results / stage / "manifest.json"]
        fit = cost_of([[*extension, "--output", model]], ONE_THREAD).seconds
        stage_1 = settings.pretrain.model_copy(update={"max_steps": steps})
        (work / "settings.json").write_text(to_json(stage_1, PretrainSettings), encoding="utf-8")
        training = [HERE / "extension_training.py", results, model.parent, work / "settings.json", EVERY, work / "run"]
        environment = os.environ | ONE_THREAD
        done = subprocess.run(
            [sys.executable, *map(str, training)], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return fit, json.loads(done.stdout.splitlines()[-1])


def print_curve(curve: Curve) -> None:
    """A line for every point."""
    for point, seconds in zip(curve.points, curve.seconds(), strict=True):
        print(
            f"{curve.new_tokens:>6,} new tokens, seed {curve.seed}, step {point['step']:>4}, {seconds:>6.0f} s: "
            f"chapters {point['text']:.3f}, responses {point['responses']:.3f}"
        )


def pairs(curves: Sequence[Curve], new_tokens: int) -> list[tuple[Curve, Curve]]:
    """For each seed, the curve with so many new tokens and the one without."""
    none = {curve.seed: curve for curve in curves if not curve.new_tokens}
    return [(curve, none[curve.seed]) for curve in curves if curve.new_tokens == new_tokens]


def print_comparison(title: str, with_and_without: Sequence[tuple[Curve, Curve]], measured: str) -> None:
    """A line for every seed and, of several, one for their mean at the last time that all of them reach."""
    for curve, none in with_and_without:
        print(f"{title}, seed {curve.seed}: {crossing(curve, none, measured)}")
    if len(with_and_without) > 1:
        end = min(last_time(*pair) for pair in with_and_without)
        at_end = [difference(*pair, end, measured) for pair in with_and_without]
        print(f"{title}, mean: {mean(at_end):+.1%} ({min(at_end):+.1%} to {max(at_end):+.1%}) at {end:.0f} s")


def last_time(curve: Curve, none: Curve) -> float:
    return min(curve.seconds()[-1], none.seconds()[-1])


def difference(curve: Curve, none: Curve, seconds: float, measured: str) -> float:
    """By what share `curve` is above the one without new tokens at this time."""
    return curve.at(seconds, measured) / none.at(seconds, measured) - 1


def crossing(curve: Curve, none: Curve, measured: str) -> str:
    """From when on the curve is ahead of the one without new tokens, or how far it is behind at the end, in words."""
    end = last_time(curve, none)
    times = np.linspace(0, end, 1_000)
    differences = [difference(curve, none, seconds, measured) for seconds in times]
    behind = np.flatnonzero(np.asarray(differences) >= 0)
    if behind[-1] == len(times) - 1:
        return f"{differences[-1]:+.1%} at {end:.0f} s"
    return f"ahead from {times[behind[-1]]:.0f} s on, {differences[-1]:+.1%} at {end:.0f} s"


def draw(curves: Sequence[Curve], path: Path) -> None:
    """What is measured side by side: each number of new tokens as the mean over its seeds, and every seed's curve."""
    sizes = sorted({curve.new_tokens for curve in curves})
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "extension", "font.size": 9}):
        figure = Figure(figsize=(9, 3.6), layout="constrained", facecolor="white")
        for axes, (measured, title) in zip(figure.subplots(1, len(MEASURED)), MEASURED.items(), strict=True):
            for number, size in enumerate(sizes):
                of_size = [curve for curve in curves if curve.new_tokens == size]
                style: dict[str, Any] = {"color": f"C{number}"}
                for curve in of_size:
                    axes.plot(curve.seconds(), [point[measured] for point in curve.points], lw=0.7, alpha=0.5, **style)
                seconds = np.mean([curve.seconds() for curve in of_size], axis=0)
                bits = [mean(curve.points[at][measured] for curve in of_size) for at in range(len(seconds))]
                name = f"{size:,} new tokens" if size else "no new tokens"
                axes.plot(seconds, bits, marker="o", ms=3, label=name, **style)
            axes.set_title(title)
            axes.set_xlabel("seconds of a processor, fitting of rows included")
            axes.set_ylabel("bits per character")
            axes.set_xlim(left=0)
            axes.grid(axis="y", linewidth=0.5)
            axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
