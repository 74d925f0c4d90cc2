"""Runs the jobs of a study in the process of a test."""

from cotpd.studies.inputs import Sources
from cotpd.studies.results_cache import ResultsCache
from cotpd.studies.schedule import Schedule
from cotpd.studies.worker import run_job


def run_jobs_here(schedule: Schedule, cache: ResultsCache) -> None:
    """Do everything that a study needs without a further process."""
    sources = Sources(next(iter(schedule.named.params.values())).task)
    for job in schedule.missing.values():
        cache.write_job(job)
        run_job(cache.read_job(job.key), cache, sources)
