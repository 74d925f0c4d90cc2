"""Runs the jobs of a study in child processes, several at once; what one of them breaks, the others do not notice.

Trade-off: a process a training, whose start takes some seconds, instead of threads: a training that runs out of
memory ends alone, several share one GPU, and a study that is killed leaves nothing behind. What needs no further
training (soft targets, predictions) is done by the process that makes its last need.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, takewhile
from pathlib import Path

from cotpd.studies.jobs import Job
from cotpd.studies.results_cache import ResultsCache

GRACE = 10.0  # seconds that a process has to end before it is killed
_TICK = 0.05  # seconds between two looks at the processes
_CHAINED = 64  # jobs of one process at most


@dataclass
class Child:
    """A process, its jobs, and when it began."""

    process: subprocess.Popen[bytes]
    keys: list[str]
    log: Path
    began: float = field(default_factory=time.monotonic)


class Runner:
    """Runs jobs, as many processes at once as there are slots.

    Args:
        jobs: What is to be done, by key; each after its needs, those that are there already left out.
        cache: Holds their outputs.
        root: The folder in which the study runs.
        slots: Processes at once.
        say: Is told of each job that ends, in one line.
        keeps_models: Whether the models of students and baselines stay after the last job that reads them.

    Attributes:
        failures: The reason of each job that could not be done, by key.
    """

    def __init__(
        self,
        jobs: Mapping[str, Job],
        cache: ResultsCache,
        *,
        root: Path,
        slots: int,
        say: Callable[[str], None],
        keeps_models: bool = False,
    ) -> None:
        self.jobs, self.cache, self.root, self.slots, self.say = jobs, cache, root, slots, say
        self.keeps_models = keeps_models
        self.failures: dict[str, str] = {}
        self._done: set[str] = set()
        self._children: list[Child] = []

    def run(self) -> None:
        """Run every job whose needs can be met; on leaving, by an interrupt too, no process is left."""
        try:
            while len(self._done) + len(self.failures) < len(self.jobs):
                self._fail_dependants()
                self._start_children()
                time.sleep(_TICK)
                self._collect()
        finally:
            self._end_children()

    def _fail_dependants(self) -> None:
        """Give up the jobs that need what could not be made."""
        for key, job in self.jobs.items():
            broken = next((need for need in job.needs if need in self.failures), None)
            if broken and key not in self.failures:
                self.failures[key] = self.failures[broken]

    def _start_children(self) -> None:
        running = set(chain.from_iterable(child.keys for child in self._children))
        for key, job in self.jobs.items():
            if len(self._children) >= self.slots:
                return
            if key not in running | self._done | self.failures.keys() and self._is_ready(job, set()):
                keys = self._list_chain(key, running)
                running |= set(keys)
                self._start_child(keys)

    def _is_ready(self, job: Job, before: set[str]) -> bool:
        """Whether everything that a job needs is there, or will be made by the jobs before it in its process."""
        return all(need in self._done | before or need not in self.jobs for need in job.needs)

    def _list_chain(self, first: str, running: set[str]) -> list[str]:
        """Return a job and those that its process can do next without a training."""
        keys = [first]
        for key, job in self.jobs.items():
            is_free = key not in running | self._done | self.failures.keys() | set(keys)
            follows = set(job.needs) & set(keys) or self.jobs[first].kind == job.kind == "predict"
            is_short = job.kind != "train" and len(keys) < _CHAINED
            if is_free and is_short and follows and self._is_ready(job, set(keys)):
                keys.append(key)
        return keys

    def _start_child(self, keys: list[str]) -> None:
        for key in keys:
            self.cache.write_job(self.jobs[key])
        log = self.cache.locate_log(keys[0])
        threads = str(max((os.cpu_count() or 1) // self.slots, 1))
        environment = {"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"} | dict(os.environ)
        # -P: of the folder that the study runs in, which may hold a checkout, no module is imported
        command = [
            sys.executable,
            "-P",
            "-m",
            "cotpd.studies.worker",
            str(self.cache.folder),
            str(self.root),
            *keys,
        ]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C in a terminal reaches the study, which ends its processes itself
            )
        self._children.append(Child(process, keys, log))

    def _collect(self) -> None:
        """Take note of the jobs that have ended."""
        for child in list(self._children):
            status = child.process.poll()
            for key in child.keys:
                if key not in self._done and self.cache.has_output(self.jobs[key]):
                    self._finish(key, time.monotonic() - child.began)
                    child.began = time.monotonic()
            if status is None:
                continue
            self._children.remove(child)
            unfinished = [key for key in child.keys if key not in self._done]
            if unfinished:
                self._fail(unfinished, child, status)

    def _finish(self, key: str, seconds: float) -> None:
        self._done.add(key)
        count = len(self._done) + len(self.failures)
        self.say(f"[{count}/{len(self.jobs)}] {self.jobs[key].title}: {seconds:.0f} s")
        if not self.keeps_models:
            self._remove_models()

    def _fail(self, keys: list[str], child: Child, status: int) -> None:
        """Record that a process could not do its first unfinished job; those behind it are tried again alone."""
        first = keys[0]
        self.failures[first] = f"{self.jobs[first].title}: {_find_reason(child.log, status)}"
        self.say(f"failed: {self.failures[first]} ({child.log})")

    def _remove_models(self) -> None:
        """Remove the models that no job of this run will read; teachers stay, further students may need them."""
        for key in self._done:
            job = self.jobs[key]
            readers = {reader.key for reader in self.jobs.values() if key in reader.needs}
            is_disposable = job.kind == "train" and job.role != "teacher"
            if is_disposable and readers and readers <= self._done:
                self.cache.remove_model(job)

    def _end_children(self) -> None:
        """End every process: its standard input ends, and what is left after a while is killed."""
        for child in self._children:
            with suppress(OSError):
                if child.process.stdin:
                    child.process.stdin.close()
        deadline = time.monotonic() + GRACE
        for child in self._children:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(deadline - time.monotonic(), 0.01))
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()


def _find_reason(log: Path, status: int) -> str:
    """Return why a process failed: its error with the remedy, its last line, or its exit status."""
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    if errors:
        problem, *following = lines[errors[-1] :]
        remedy = list(takewhile(lambda line: line.startswith("  "), following))
        return ". ".join(part.strip().rstrip(".") for part in (problem.removeprefix("error: "), *remedy))
    if status < 0:
        return f"its process was ended by signal {-status}"
    return lines[-1].strip() if lines else f"its process ended with status {status}"
