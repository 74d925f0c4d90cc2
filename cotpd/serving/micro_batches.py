"""Texts of all clients, collected into batches for one thread that predicts.

Trade-off: one thread, so that torch or ONNX Runtime has all cores for one batch, and no two versions ever predict
at the same time. While a batch is computed the next one gathers by itself. A text waits for others only as long as
the batch before it lets expect them, so a single client never waits.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from cotpd.escaping import warn
from cotpd.serving.access_log import describe_failure
from cotpd.serving.served_version import ServedVersion
from cotpd.serving.service_metrics import ServiceMetrics
from cotpd.student.prediction_input import PredictionInput

Rows = list[dict[str, Any]]
_WAIT_SHARE = 0.1  # of the last batch's time, that the next one waits for clients to ask again
_SMOOTHING = 0.2  # of the rate: the weight of the latest batch


class QueueFullError(Exception):
    """So many texts wait that the request is refused; ``seconds`` estimates when there is room."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"room in about {seconds:.1f} seconds")
        self.seconds = seconds


class Answer:
    """The predictions of one request, and the version that made all of them."""

    def __init__(self, version: ServedVersion, predictions: Rows) -> None:
        self.version, self.predictions = version, predictions


class _Job:
    """One request: the texts that wait, the predictions so far, and the version that made the first of them."""

    def __init__(self, inputs: Sequence[PredictionInput]) -> None:
        self.inputs = inputs
        self.predictions: Rows = []
        self.taken_texts = 0
        self.version: ServedVersion | None = None
        self.future: Future[Answer] = Future()

    @property
    def waiting_texts(self) -> int:
        """The number of texts that are in no batch yet."""
        return len(self.inputs) - self.taken_texts


class MicroBatcher:
    """The queue of requests, and the thread that predicts.

    Args:
        version: The version that predicts first.
        batch_texts: The most texts of a batch. A longer request takes several, between which others get theirs.
        wait_seconds: The longest that texts wait for others while nothing is computed.
        queued_texts: The most texts that wait.
        metrics: Count batches, texts and the queue.
    """

    def __init__(
        self,
        version: ServedVersion,
        batch_texts: int,
        wait_seconds: float,
        queued_texts: int,
        metrics: ServiceMetrics,
    ) -> None:
        self._version, self._metrics = version, metrics
        self._batch_texts, self._wait_seconds, self._queued_texts = batch_texts, wait_seconds, queued_texts
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._waiting_texts = 0
        self._is_stopped = False
        self._expected_requests = 1
        self._batch_seconds = 0.0
        self._seconds_per_text = 0.02
        self._thread = threading.Thread(target=self._run, name="cotpd-predict", daemon=True)

    @property
    def version(self) -> ServedVersion:
        """The version that predicts requests from now on."""
        return self._version

    @property
    def is_alive(self) -> bool:
        """Whether the thread predicts."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start to predict."""
        self._thread.start()

    def stop(self) -> None:
        """Predict what waits, then end the thread."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._thread.join()

    def swap(self, version: ServedVersion) -> None:
        """Predict with another version from the next batch on; a request that has begun ends with its own."""
        with self._changed:
            self._version = version

    def submit(self, inputs: Sequence[PredictionInput]) -> "Future[Answer]":
        """Queue the texts of one request; cancel the future if the client has gone.

        Raises:
            QueueFullError: Too many texts wait.
        """
        with self._changed:
            queued = self._waiting_texts
            if queued and queued + len(inputs) > self._queued_texts:
                raise QueueFullError(max(1.0, queued * self._seconds_per_text))
            job = _Job(inputs)
            self._jobs.append(job)
            self._count_waiting(len(inputs))
            self._changed.notify_all()
        return job.future

    def _run(self) -> None:
        while (slices := self._wait_for_batch()) is not None:
            if slices:
                self._predict(slices)

    def _wait_for_batch(self) -> list[tuple[_Job, int]] | None:
        """Return the next batch, empty if its clients have gone; None if all is answered and the end is asked."""
        with self._changed:
            while not self._jobs:
                if self._is_stopped:
                    return None
                self._changed.wait()
            self._wait_for_company()
            return self._take_batch()

    def _wait_for_company(self) -> None:
        """Wait until as many requests are there as shared the last batch, for a part of the time that it took.

        Clients that have just been answered ask again at once. Without the wait the first of them would be
        predicted alone, while all others queue up behind it.
        """
        deadline = time.monotonic() + min(self._wait_seconds, _WAIT_SHARE * self._batch_seconds)
        while not self._is_stopped and len(self._jobs) < self._expected_requests:
            seconds = deadline - time.monotonic()
            if seconds <= 0 or self._waiting_texts >= self._batch_texts or not self._changed.wait(seconds):
                return

    def _take_batch(self) -> list[tuple[_Job, int]]:
        """Return the next batch, as requests with their numbers of texts; what does not fit waits on, in turns.

        All texts of a batch are for one version, that of the first request.
        """
        room, slices, later = self._batch_texts, [], []
        version: ServedVersion | None = None
        for job in self._jobs:
            if job.future.cancelled():
                self._count_waiting(-job.waiting_texts)
                continue
            job_version = job.version or self._version
            version = version or job_version
            count = min(room, job.waiting_texts) if job_version is version else 0
            if count:
                job.version = version
                job.taken_texts += count
                room -= count
                slices.append((job, count))
            if job.waiting_texts:
                later.append(job)
        served = {id(job) for job, _ in slices}
        later.sort(key=lambda job: id(job) in served)  # who got a share goes behind those without one
        self._jobs = deque(later)
        self._count_waiting(-sum(count for _, count in slices))
        self._expected_requests = len(slices)
        return slices

    def _count_waiting(self, change: int) -> None:
        self._waiting_texts += change
        self._metrics.record_queue(self._waiting_texts)

    def _predict(self, slices: list[tuple[_Job, int]]) -> None:
        """Predict a batch; if it fails, each request alone, so that one request's text fails no other."""
        try:
            self._predict_together(slices)
        except Exception as error:
            if len(slices) == 1:
                job, _ = slices[0]
                self._drop(job)
                warn(f"error: a request could not be predicted: {describe_failure(error)}")
                _resolve(job.future, error=error)
                return
            for part in slices:
                self._predict([part])

    def _predict_together(self, slices: list[tuple[_Job, int]]) -> None:
        inputs: list[PredictionInput] = []
        for job, count in slices:
            end = len(job.predictions) + count
            inputs += job.inputs[len(job.predictions) : end]
        version = slices[0][0].version or self._version
        began = time.perf_counter()
        predictions = version.predict(inputs)
        self._batch_seconds = seconds = time.perf_counter() - began
        self._metrics.record_batch(len(inputs), seconds)
        self._seconds_per_text += _SMOOTHING * (seconds / len(inputs) - self._seconds_per_text)

        start = 0
        for job, count in slices:
            job.predictions += predictions[start : start + count]
            start += count
            if len(job.predictions) == len(job.inputs):
                _resolve(job.future, answer=Answer(version, job.predictions))

    def _drop(self, job: _Job) -> None:
        """Take what waits of a failed request out of the queue."""
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)
                self._count_waiting(-job.waiting_texts)


def _resolve(future: "Future[Answer]", answer: Answer | None = None, error: Exception | None = None) -> None:
    """Answer a request, unless its client has gone and cancelled it."""
    with suppress(Exception):  # InvalidStateError, of which concurrent.futures has two
        if answer is not None:
            future.set_result(answer)
        else:
            future.set_exception(error)
