"""A run as it is now, for a page that follows it: which jobs are done, how training goes, when all will have ended.

Nothing is written, and no lock is taken.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lib.report.live_training import LiveTraining, read_live
from lib.runs.durations import Duration, Durations, EarlierRun, read_seconds, seconds_to_the_end
from lib.runs.names import DEMO_NAME, existing_runs, run_folder
from lib.runs.plan import (
    Job,
    JobState,
    Plan,
    RunState,
    job_state,
    read_plan,
    run_state,
    seconds_since_any_change,
    time_of,
)
from lib.runs.sizes import TRAINING, sizes_now
from lib.settings.pipeline import PipelineSettings

SWEEP = "sweep_"
"""What the rules of a sweep are called before the name of the stage."""


@dataclass
class Stage:
    """The jobs of one rule."""

    rule: str
    states: list[JobState] = field(default_factory=list)
    seconds: float = 0.0
    """What its finished jobs took, added up."""
    left: float = 0.0
    """What its other jobs will take, added up."""
    sources: set[str] = field(default_factory=set)
    """How that is known."""
    is_known: bool = True
    """Whether that is known of all of them."""

    def count(self, state: JobState) -> int:
        return self.states.count(state)


@dataclass(frozen=True)
class Look:
    """A run at one moment."""

    state: RunState
    plan: Plan
    stages: Sequence[Stage]
    """In the order of the plan."""
    trainings: Mapping[str, LiveTraining]
    """Of those that go on or have ended, the last one last; by the name of the job."""
    running: Sequence[Job]
    seconds_left: float
    """Until all jobs have ended, without those of which nothing is known."""
    seconds_quiet: float
    """Since a job last wrote a line or ended."""

    @property
    def done(self) -> int:
        return sum(stage.count("done") for stage in self.stages)

    @property
    def unknown(self) -> list[str]:
        """Rules with jobs to come of which nothing is known."""
        return [stage.rule for stage in self.stages if not stage.is_known]


class Follower:
    """Looks at one run again and again."""

    def __init__(self, project: Path, name: str, settings: PipelineSettings) -> None:
        """`name` is that of a run of `project`, "" for the demo."""
        self.project, self.name, self.settings = project, name, settings
        self.folder = project / run_folder(name)
        self.plan: Plan | None = None

    def look(self) -> Look | None:
        """The run as it is now; None where none has been started."""
        plan = read_plan(self.folder)
        if plan is None:
            return None
        if self.plan is None or plan.started != self.plan.started:
            self._begin(plan)
        state = run_state(plan, self.folder)  # first: where the run has ended, its jobs have, too
        states = self._states(plan)
        finished = self._finished(plan, states)
        trainings = self._trainings(plan, states)
        durations = self._durations_of(plan, states, self._foreseen(plan, states, finished, trainings))

        def left(place: int) -> float:
            job, known = plan.jobs[place], durations[place]
            live = trainings.get(job_name(job))
            if states[place] == "running" and live and live.seconds_left is not None:
                return live.seconds_left
            elapsed = time.time() - self.begun[place] if states[place] == "running" else 0.0
            return max(0.0, known.seconds - elapsed) if known else 0.0

        stages: dict[str, Stage] = {}
        for place, job in enumerate(plan.jobs):
            stage = stages.setdefault(job.rule, Stage(job.rule))
            stage.states.append(states[place])
            if states[place] == "done":
                continue
            stage.left += left(place)
            live = trainings.get(job_name(job))
            if live and live.seconds_left is not None:
                stage.sources.add("its own steps")
            elif known := durations[place]:
                stage.sources.add(known.source)
            else:
                stage.is_known = False
        for rule, seconds in finished.items():
            stages[rule].seconds = sum(seconds)
        return Look(
            state,
            plan,
            list(stages.values()),
            trainings,
            [job for job, state in zip(plan.jobs, states, strict=True) if state == "running"],
            seconds_to_the_end(plan, states, left),
            seconds_since_any_change(plan, self.folder),
        )

    def _begin(self, plan: Plan) -> None:
        names = [name for name in existing_runs(self.project) if name != self.name]
        others = [EarlierRun.of(name or DEMO_NAME, self.project / run_folder(name)) for name in names]
        self.plan, self.durations = plan, Durations(self.folder, others)
        self.done: dict[int, float] = {}
        self.begun: dict[int, float] = {}

    def _states(self, plan: Plan) -> list[JobState]:
        """What jobs do; when those that run were first seen to do so is kept."""
        is_first = not self.begun and not self.done
        states = [
            "done" if place in self.done else job_state(plan, job, self.folder) for place, job in enumerate(plan.jobs)
        ]
        for place, (job, state) in enumerate(zip(plan.jobs, states, strict=True)):
            if state == "running" and place not in self.begun:
                ends = [time_of(self.folder / plan.jobs[needed].benchmark) for needed in job.needs]
                self.begun[place] = max([plan.started, *ends]) if is_first else time.time()
        return states

    def _finished(self, plan: Plan, states: Sequence[JobState]) -> dict[str, list[float]]:
        """Seconds of the jobs that this call of Snakemake has finished, by rule."""
        finished: dict[str, list[float]] = defaultdict(list)
        for place, (job, state) in enumerate(zip(plan.jobs, states, strict=True)):
            if state == "done":
                if place not in self.done:
                    self.done[place] = read_seconds(self.folder / job.benchmark) or 0.0
                finished[job.rule].append(self.done[place])
        return finished

    def _foreseen(
        self,
        plan: Plan,
        states: Sequence[JobState],
        finished: Mapping[str, list[float]],
        trainings: Mapping[str, LiveTraining],
    ) -> dict[str, list[float]]:
        """`finished`, and what trainings that go on will have taken."""
        found = {rule: [*seconds] for rule, seconds in finished.items()}
        for place, (job, state) in enumerate(zip(plan.jobs, states, strict=True)):
            live = trainings.get(job_name(job))
            if state == "running" and live and live.seconds_left is not None:
                found.setdefault(job.rule, []).append(time.time() - self.begun[place] + live.seconds_left)
        return found

    def _trainings(self, plan: Plan, states: Sequence[JobState]) -> dict[str, LiveTraining]:
        return {
            job_name(job): read_live(self.folder / job.log, self.folder)
            for job, state in zip(plan.jobs, states, strict=True)
            if state != "waiting" and stage_of(job.rule) in TRAINING
        }

    def _durations_of(
        self, plan: Plan, states: Sequence[JobState], finished: Mapping[str, Sequence[float]]
    ) -> list[Duration | None]:
        sizes = sizes_now(self.folder / "results", self.settings)
        minutes = {stage: getattr(self.settings, stage).minutes for stage in TRAINING}
        return [
            None if state == "done" else self.durations.expected(job, finished, sizes, minutes)
            for job, state in zip(plan.jobs, states, strict=True)
        ]


def stage_of(rule: str) -> str:
    """The rule of the run that a rule is like: a sweep has its own."""
    return rule.removeprefix(SWEEP)


def job_name(job: Job) -> str:
    """What a job is called: its rule and the values of its wildcards."""
    return job.log.removeprefix("logs/").removesuffix(".log")
