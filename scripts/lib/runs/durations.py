"""How long the jobs of a run take, and when it will have ended: from what jobs took before, not from their number."""

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from lib.runs.plan import Job, JobState, Plan
from lib.runs.sizes import TRAINING, Sizes, sizes_before


@dataclass(frozen=True)
class Duration:
    """Seconds that a job will take, and how that is known."""

    seconds: float
    source: str


@dataclass(frozen=True)
class EarlierRun:
    """What the jobs of a run took, and how much it had to do."""

    name: str
    seconds: Mapping[str, float]
    """By rule: the mean of its jobs."""
    sizes: Sizes

    @classmethod
    def of(cls, name: str, folder: Path) -> "EarlierRun":
        """The run in `folder`, as far as its benchmarks and results are there."""
        found: dict[str, list[float]] = defaultdict(list)
        for path in sorted((folder / "benchmarks").rglob("*.tsv")):
            if (seconds := read_seconds(path)) is not None:
                found[path.relative_to(folder / "benchmarks").with_suffix("").parts[0]].append(seconds)
        return cls(name, {rule: mean(times) for rule, times in found.items()}, sizes_before(folder / "results"))

    def scaled(self, rule: str, sizes: Sizes) -> Duration | None:
        """What a job of `rule` takes with `sizes` to do; None where that is not known of both runs."""
        then, now = self.sizes.of(rule), sizes.of(rule)
        if rule not in self.seconds or not then or not now:
            return None
        factor = now / then
        source = f"run {self.name}" if factor == 1 else f"run {self.name}, times {factor:.2g}"
        return Duration(self.seconds[rule] * factor, source)


class Durations:
    """What the jobs of a run will take, by the best that is known of each."""

    def __init__(self, folder: Path, others: Sequence[EarlierRun]) -> None:
        """The run in `folder`; `others` are runs to go by where it has never run a job itself, the best one first."""
        self.folder, self.others = folder, others
        self.before = sizes_before(folder / "results")
        self._own: dict[str, float | None] = {}

    def expected(
        self, job: Job, finished: Mapping[str, Sequence[float]], sizes: Sizes, minutes: Mapping[str, float | None]
    ) -> Duration | None:
        """What `job` takes; None where nothing is known.

        `finished` are seconds by rule that this call of Snakemake has measured or that can be foreseen, `sizes` what
        the run has to do, and `minutes` the time that a training is given, by rule.
        """
        if minutes.get(job.rule):
            return Duration(60 * float(minutes[job.rule] or 0), "the settings")
        if finished.get(job.rule):
            return Duration(mean(finished[job.rule]), "jobs of this run")
        earlier = self._of_same_job(job, sizes)
        return earlier or self._of_another_run(job, sizes) or _of_other_stage(job, finished, sizes)

    def _of_same_job(self, job: Job, sizes: Sizes) -> Duration | None:
        """What the job took when it last ran in this folder; a training is scaled."""
        if job.benchmark not in self._own:
            self._own[job.benchmark] = read_seconds(self.folder / job.benchmark)
        seconds = self._own[job.benchmark]
        if seconds is None:
            return None
        if job.rule in TRAINING:
            then, now = self.before.of(job.rule), sizes.of(job.rule)
            if not then or not now:
                return None
            seconds *= now / then
        return Duration(seconds, "its last run")

    def _of_another_run(self, job: Job, sizes: Sizes) -> Duration | None:
        return next((found for run in self.others if (found := run.scaled(job.rule, sizes))), None)


def _of_other_stage(job: Job, finished: Mapping[str, Sequence[float]], sizes: Sizes) -> Duration | None:
    """What a training takes at the speed of the other stage's: the same model, by tokens."""
    for stage in TRAINING:
        then, now = sizes.of(stage), sizes.of(job.rule) if job.rule in TRAINING else None
        if finished.get(stage) and then and now:
            return Duration(mean(finished[stage]) * now / then, f"the speed of {stage}")
    return None


def read_seconds(benchmark: Path) -> float | None:
    """Seconds that a job took, by Snakemake's benchmark file; None where it is not there or not whole yet."""
    try:
        lines = benchmark.read_text(encoding="utf-8").splitlines()
        return float(lines[-1].split("\t")[0]) if len(lines) > 1 else None
    except (OSError, ValueError):
        return None


def seconds_to_the_end(plan: Plan, states: Sequence[JobState], left: Callable[[int], float]) -> float:
    """Seconds until all jobs of a plan have ended, when each starts as soon as those before it and the cores allow.

    `left(place)` are the seconds that a job at this place still needs. Jobs wait in the order of the plan.
    """
    cores = plan.cores or sum(job.threads for job in plan.jobs) or 1
    missing = {
        place: sum(states[needed] != "done" for needed in job.needs)
        for place, job in enumerate(plan.jobs)
        if states[place] != "done"
    }
    followers: dict[int, list[int]] = defaultdict(list)
    for place in missing:
        for needed in plan.jobs[place].needs:
            if states[needed] != "done":
                followers[needed].append(place)
    running = [(left(place), place) for place in missing if states[place] == "running"]
    heapq.heapify(running)
    free = cores - sum(min(plan.jobs[place].threads, cores) for _, place in running)
    ready = deque(place for place in missing if states[place] == "waiting" and not missing[place])
    now = 0.0
    while running or ready:
        while ready and ((threads := min(plan.jobs[ready[0]].threads, cores)) <= free or not running):
            place = ready.popleft()
            heapq.heappush(running, (now + left(place), place))
            free -= threads
        now, ended = heapq.heappop(running)
        free += min(plan.jobs[ended].threads, cores)
        for place in followers[ended]:
            missing[place] -= 1
            if not missing[place]:
                ready.append(place)
    return now
