"""Where the outputs of jobs lie, by their keys, and how long the finished ones took."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from cotpd.data.tables import write_json
from cotpd.files import write_atomically
from cotpd.student.folders import recover_interrupted_swap, remove_folder
from cotpd.studies.jobs import Job

_DONE, _JOB = "done.json", "job.json"


class ResultsCache:
    """A folder that holds a folder for each job.

    Args:
        folder: The folder; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def locate(self, key: str) -> Path:
        """Return the folder of a job."""
        return self.folder / key

    def locate_output(self, key: str, kind: str) -> Path:
        """Return a job's output: the folder of a model or of soft targets, or a table of predictions."""
        return self.locate(key) / {"train": "model", "targets": "targets", "predict": "predictions.jsonl"}[kind]

    def locate_log(self, key: str) -> Path:
        """Return where a job's process writes what it prints."""
        return self.locate(key) / "log.txt"

    def has_output(self, job: Job) -> bool:
        """Whether a job has finished and its output is there, whole; a study removes models that it has read.

        Files that a full disk or a crash has cut are noticed by their sizes, and the job is done again.
        """
        figures = self._read_figures(self.locate(job.key) / _DONE)
        if figures is None:
            return False
        output = self.locate_output(job.key, job.kind)
        if job.kind == "train":
            recover_interrupted_swap(output)
        return output.exists() and figures.get("files") == _measure_files(output)

    def write_job(self, job: Job) -> None:
        """Write what a job is, for the process that is to run it."""
        (self.locate(job.key) / _DONE).unlink(missing_ok=True)  # its output was removed: it is made again
        with write_atomically(self.locate(job.key) / _JOB) as partial:
            partial.write_text(job.model_dump_json(), "utf-8")

    def read_job(self, key: str) -> Job:
        """Return a job that was written."""
        return Job.model_validate_json((self.locate(key) / _JOB).read_text("utf-8"))

    def mark_finished(self, job: Job, seconds: float) -> None:
        """Record that a job has finished; its output is complete."""
        figures = {"seconds": round(seconds, 2), "work": job.work, "sort": job.sort, "title": job.title}
        files = _measure_files(self.locate_output(job.key, job.kind))
        write_json(self.locate(job.key) / _DONE, figures | {"files": files})

    def remove_model(self, job: Job) -> None:
        """Remove a model that no job will read any more; its predictions stay."""
        remove_folder(self.locate_output(job.key, job.kind))

    def read_rates(self) -> Mapping[str, float]:
        """Return seconds per unit of work of each sort of job that has finished here, the median."""
        rates = defaultdict(list)
        for path in self.folder.glob(f"*/{_DONE}"):
            figures = self._read_figures(path)
            if figures is not None:
                rates[figures["sort"]].append(figures["seconds"] / max(figures["work"], 1))
        return {sort: median(values) for sort, values in rates.items()}

    def sum_seconds(self, jobs: Mapping[str, Job], goals: Iterable[str]) -> float | None:
        """Return how long the jobs behind some goals took, each once; None if the time of one is not known."""
        pending, keys = list(goals), set[str]()
        while pending:
            key = pending.pop()
            if key not in keys:
                keys.add(key)
                pending += jobs[key].needs
        figures = [self._read_figures(self.locate(key) / _DONE) for key in keys]
        seconds = [float(figure["seconds"]) for figure in figures if figure is not None]
        return round(sum(seconds), 2) if keys and len(seconds) == len(keys) else None

    def _read_figures(self, path: Path) -> dict[str, Any] | None:
        """Return what :meth:`mark_finished` wrote; None if the file is missing, damaged, or being removed."""
        try:
            figures = json.loads(path.read_text("utf-8"))
            return figures if {"seconds", "work", "sort", "files"} <= figures.keys() else None
        except (ValueError, AttributeError, OSError):
            return None


def _measure_files(output: Path) -> dict[str, int]:
    """Return the sizes of an output's files by their paths in it; a file's own path is "."."""
    files = filter(Path.is_file, [output] if output.is_file() else output.rglob("*"))
    return {path.relative_to(output).as_posix(): path.stat().st_size for path in files}


def select_missing(jobs: Mapping[str, Job], goals: Iterable[str], cache: ResultsCache) -> dict[str, Job]:
    """Return the jobs whose output some goals need and do not have, each after its needs.

    Args:
        jobs: All jobs by key.
        goals: Keys of jobs whose output is wanted.
        cache: Knows which outputs are there.
    """
    missing: dict[str, Job] = {}

    def collect(key: str) -> None:
        if key in missing or cache.has_output(jobs[key]):
            return
        for need in jobs[key].needs:
            collect(need)
        missing[key] = jobs[key]

    for goal in goals:
        collect(goal)
    return missing


def estimate_seconds(jobs: Iterable[Job], rates: Mapping[str, float]) -> tuple[float, int]:
    """Return how long jobs take one after another, and the number of jobs of which nothing is known."""
    seconds, unknown = 0.0, 0
    for job in jobs:
        if job.sort in rates:
            seconds += rates[job.sort] * job.work
        else:
            unknown += 1
    return seconds, unknown
