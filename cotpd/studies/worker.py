"""The process of one or several jobs of a study: `python -m cotpd.studies.worker CACHE ROOT KEY...`.

Standard input is a pipe that only the study's process holds open. Its end of file means that the study has died,
kill -9 included, or wants this process to end, which it does at once: a training is resumed from its checkpoint.
"""

import os
import sys
import threading
import time
from pathlib import Path

from cotpd.data.tables import write_table
from cotpd.errors import CotpdError, DataError
from cotpd.escaping import mark_logs, warn
from cotpd.evaluation.predictions import build_predictions
from cotpd.extraction.llm_predictions import collect_predictions
from cotpd.startup import restore_signals
from cotpd.storage import explain_full_disk
from cotpd.student.objectives import FineTuning, FrozenDistillation, JointDistillation, Objective
from cotpd.student.student import Student
from cotpd.student.targets import Targets, compute_soft_targets
from cotpd.student.training import train
from cotpd.studies.inputs import Sources
from cotpd.studies.jobs import Job
from cotpd.studies.results_cache import ResultsCache


def run_job(job: Job, cache: ResultsCache, sources: Sources) -> None:
    """Do one job, and mark it as finished.

    Raises:
        DataError: The tables have changed since the job was planned.
        CotpdError: The job cannot be done.
    """
    began = time.monotonic()
    if sources.measure(job.examples)[1] != job.digest:
        raise DataError("the tables have changed since the study began", "Run the study again.")
    {"train": _train, "targets": _write_targets, "predict": _predict}[job.kind](job, cache, sources)
    cache.mark_finished(job, time.monotonic() - began)


def _train(job: Job, cache: ResultsCache, sources: Sources) -> None:
    labelled, unlabelled = sources.build_labelled(job.examples), sources.build_unlabelled(job.examples)
    train(
        labelled + unlabelled,
        sources.build(job.valid) if job.valid else [],
        task=job.task,
        types=job.types,
        student=job.student,
        params=job.run,
        objective=_build_objective(job, cache, frozenset(example.id for example in unlabelled)),
        seed=job.seed,
        out=cache.locate_output(job.key, "train"),
        start=cache.locate_output(job.start, "train") if job.start else None,
        words=sources.read_words(job.examples.data_set),
    )


def _build_objective(job: Job, cache: ResultsCache, unlabelled: frozenset[str]) -> Objective:
    if job.view == "joint":
        return JointDistillation(job.distil)
    if job.view == "frozen":
        targets = Targets.load(cache.locate_output(job.needs[0], "targets"))
        return FrozenDistillation(job.student.own_view, targets, unlabelled, job.distil)
    return FineTuning("knowledge" if job.view == "knowledge" else "text")


def _write_targets(job: Job, cache: ResultsCache, sources: Sources) -> None:
    teachers = [cache.locate_output(key, "train") for key in job.needs]
    withheld: list[frozenset[str]] = []
    if job.folds:
        folds = sources.draw_folds(job.examples.data_set, job.examples.changes, count=job.folds, seed=job.seed)
        withheld = folds.list_all_withheld(len(teachers) // job.folds)
    targets = compute_soft_targets(
        teachers,
        sources.build(job.examples),
        job.distil.temperature,
        withheld=withheld,
        device=job.run.device,
        bf16=job.run.bf16,
    )
    targets.save(cache.locate_output(job.key, "targets"))


def _predict(job: Job, cache: ResultsCache, sources: Sources) -> None:
    """Write a model's predictions; it may be given captions and answers that it was not trained to read."""
    if job.examples.row:
        _write_labels(job, cache, sources)
        return
    model = Student.from_pretrained(cache.locate_output(job.needs[0], "train"), job.run.device)
    view = model.views[0] if job.view == "own" else "knowledge"
    if view not in model.views:
        model.views = (*model.views, view)
    examples = sources.build(job.examples)
    predicted = model.predict_examples(examples, view, batch_size=job.run.batch_size)
    rows = build_predictions(examples, predicted, task=job.task, split=job.examples.split, model=job.role)
    write_table(cache.locate_output(job.key, "predict"), rows)


def _write_labels(job: Job, cache: ResultsCache, sources: Sources) -> None:
    """Write what the language model alone labelled, as predictions."""
    examples, split = sources.build(job.examples), job.examples.split
    labels = collect_predictions(sources.read_extracted(job.examples), examples, job.task, split)
    rows = build_predictions(examples, labels[job.role], task=job.task, split=split, model=job.role)
    write_table(cache.locate_output(job.key, "predict"), rows)


def end_with_owner() -> None:
    """Start a thread that ends this process as soon as standard input ends."""

    def wait_for_end() -> None:
        while os.read(0, 1024):
            pass
        os._exit(130)

    threading.Thread(target=wait_for_end, daemon=True).start()


def main(arguments: list[str]) -> None:
    """Do the jobs of some keys, one after another; the exit status is 1 after one that cannot be done."""
    cache, root, keys = ResultsCache(Path(arguments[0])), Path(arguments[1]), arguments[2:]
    end_with_owner()
    mark_logs()
    try:
        restore_signals()
        jobs = [cache.read_job(key) for key in keys]
        sources = Sources(jobs[0].task, root)
        for job in jobs:
            run_job(job, cache, sources)
    except CotpdError as error:
        warn(f"error: {error}")
        sys.exit(1)
    except Exception as error:
        full_disk = explain_full_disk(error)
        if full_disk is None:
            raise
        warn(f"error: {full_disk}")
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
