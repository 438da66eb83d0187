"""Finished jobs that a run has in common with another: taken over as hard links instead of being computed again.

Snakemake records of every output the rule, its code, its parameters and the checksums of its inputs. A job of this run
that another run has finished with the same of all these is taken over: its outputs, its log and benchmark, and the
records. Snakemake then judges by the records as if the job had run here: should it find a difference after all, it runs
the job again. Outputs are replaced, never written in place, so runs that share one do not touch each other's; what is
written in place (logs, benchmarks, records) is copied.
"""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

from snakemake.exceptions import WorkflowError
from snakemake.jobs import Job
from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence
from snakemake.settings.enums import PersistenceBackend

from lib.core import manifest
from lib.core.outputs import read_json, sha256_file
from lib.runs.names import existing_runs, run_folder
from lib.runs.snakemake_records import recorded_outputs

OWN_FOLDERS = ("results", "logs", "benchmarks", "work")
"""Of a run. All other relative paths count from the project's folder."""


def is_own(path: str) -> bool:
    """Is a path in the records one of the run's own files?"""
    return path.split("/")[0] in OWN_FOLDERS


@dataclass(frozen=True)
class RunFolder:
    """A run's folder with Snakemake's records of it."""

    project: Path
    path: Path
    records: FilePersistence

    @classmethod
    def of(cls, project: Path, name: str) -> Self:
        path = project / run_folder(name)
        return cls(project, path, FilePersistence(path=path / ".snakemake"))

    def locked(self) -> set[str]:
        """Outputs that a running Snakemake may be about to make."""
        return {path for kind, path in self.records._read_locks() if kind == "output"}

    def place(self, path: str) -> str:
        """What an input's path stands for in every run: a file of the run itself, or one of the project's."""
        return path if os.path.isabs(path) or is_own(path) else os.path.relpath(self.path / path, self.project)


def take_over(workflow: Any, project: Path, name: str) -> None:
    """Take over what other runs of `project` have finished and the run `name`, which is being planned, lacks.

    One line for each of those runs says what was taken. Nothing is where Snakemake keeps its records in a data base.
    """
    donors = [other for other in existing_runs(project) if other != name]
    if not donors or workflow.workflow_settings.persistence_backend != PersistenceBackend.FILE:
        return
    here = RunFolder.of(project, name)
    for donor in donors:
        taken = Counter(take_from(workflow, RunFolder.of(project, donor), here))
        if taken:
            jobs = ", ".join(f"{rule} ({number})" if number > 1 else rule for rule, number in taken.items())
            source = run_folder(donor) if donor else "the demo"
            print(f"Taken from {source}, where nothing differs: {jobs}", file=sys.stderr)


def take_from(workflow: Any, donor: RunFolder, here: RunFolder) -> Iterator[str]:
    """Take over the finished jobs of `donor` that `here` lacks; yields their rules."""
    busy = donor.locked() | here.locked()
    lacking = {
        output: record
        for output in recorded_outputs(donor.path)
        if output not in busy
        and not os.path.lexists(here.path / output)
        and (record := donor.records._read_record(output))
    }
    looked_at: set[str] = set()
    # Inputs before what is made of them.
    for output in sorted(lacking, key=lambda output: lacking[output].endtime or 0):
        if output in looked_at:  # with another output of its job
            continue
        job = job_that_makes(output, lacking[output], workflow)
        if not job:
            continue
        looked_at.update(job.output)
        if is_same(job, donor, here) and copy_job(job, donor, here):
            yield job.rule.name


def job_that_makes(output: str, record: MetadataRecord, workflow: Any) -> Job | None:
    """The job of this run that makes `output`; None when it has none, as for a source that is not in its sheet."""
    if not record.rule or not workflow.is_rule(record.rule):
        return None
    rule = workflow.get_rule(record.rule)
    if not rule.is_producer(output):
        return None
    try:
        job = Job(rule, SimpleNamespace(workflow=workflow), rule.get_wildcards(output))
        _ = job.params  # found out now, like the inputs
    except (WorkflowError, KeyError, ValueError):
        return None
    return job


def is_same(job: Job, donor: RunFolder, here: RunFolder) -> bool:
    """Has `donor` finished this job of `here`, with the same parameters, code and inputs?"""
    if any(os.path.lexists(here.path / output) for output in job.output):
        return False
    if donor.records._filter_incomplete_keys(job.output):
        return False
    inputs = {here.place(path): path for path in job.input}
    for output in job.output:
        record = donor.records._read_record(output)
        if record is None or record.incomplete or not os.path.lexists(donor.path / output):
            return False
        if record.rule != job.rule.name or record.code != here.records._code(job.rule):
            return False
        if set(record.params or []) != set(here.records._params(job)):
            return False
        if {donor.place(path) for path in record.input or []} != inputs.keys():
            return False
    # All outputs of a job have the same inputs.
    return all(_same_content(path, inputs[donor.place(path)], record, donor, here) for path in record.input or [])


def _same_content(theirs: str, ours: str, record: MetadataRecord, donor: RunFolder, here: RunFolder) -> bool:
    """Does the input `ours` hold what `theirs` held when `donor` ran the job?"""
    path = here.path / ours
    if not path.is_file():
        return False
    other = donor.path / theirs
    if other.exists() and path.samefile(other):
        status = path.stat()
        # Results are replaced, which a time of modification shows. Users' files may be older than what they replace.
        changed = status.st_mtime if is_own(theirs) else max(status.st_mtime, status.st_ctime)
        if changed <= (record.starttime or 0):
            return True
    checksum = (record.input_checksums or {}).get(theirs)
    return checksum is not None and str(checksum).removeprefix("sha256:") == sha256_file(path)


def copy_job(job: Job, donor: RunFolder, here: RunFolder) -> bool:
    """Take over one job; False when its outputs disappeared in the meantime."""
    inputs = {here.place(path): path for path in job.input}
    for output in job.output:
        record = donor.records._read_record(output)
        if record is None:
            return False
        ours = {path: inputs[donor.place(path)] for path in record.input or []}
        changes = {
            "input": sorted(map(str, job.input)),  # one may be there twice
            "input_checksums": {ours.get(path, path): value for path, value in (record.input_checksums or {}).items()},
        }
        here.records._write_record(output, record.model_copy(update=changes))
        here.records._unmark_incomplete(output)
    try:
        for file in [*job.log, *([job.benchmark] if job.benchmark else [])]:
            if (donor.path / file).is_file():
                (here.path / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(donor.path / file, here.path / file)
        for output in job.output:
            for file in files_of(donor.path, output):
                link(donor.path / file, here.path / file)
    except FileNotFoundError:
        for output in job.output:
            here.records._delete_record(output)
            if (here.path / output).is_file():
                (here.path / output).unlink()
        return False
    return True


def files_of(folder: Path, output: str) -> list[Path]:
    """The files that belong to an output, from `folder`: itself, all in it, or those of a manifest; it last."""
    path = folder / output
    if path.is_dir():
        return sorted(file.relative_to(folder) for file in path.rglob("*") if file.is_file())
    if path.name != manifest.NAME:
        return [Path(output)]
    listed = [*read_json(path).get("files", {})]
    if path.with_name(manifest.MADE_WITH).is_file():  # not there of a point of a sweep that could not be trained
        listed.append(manifest.MADE_WITH)
    return [*(Path(output).parent / name for name in listed), Path(output)]


def link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`; a copy where a link is not possible, as on another file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(source, partial)
    os.replace(partial, target)
    partial.unlink(missing_ok=True)  # renaming a link to the same file leaves it
