"""A server's counts and times, in Prometheus' text format. No label holds a client's text."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BATCH_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class ServiceMetrics:
    """The metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        count, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        measure = partial(Histogram, registry=self.registry)

        self._requests = count("cotpd_requests", "Requests answered.", ("route", "method", "status"))
        self._seconds = measure("cotpd_request_seconds", "Time to answer.", ("route",), buckets=_SECONDS)
        self._batch_texts = measure("cotpd_batch_texts", "Texts of a batch.", buckets=_BATCH_TEXTS)
        self._batch_seconds = measure("cotpd_batch_seconds", "Time to predict a batch.", buckets=_SECONDS)
        self._texts = count("cotpd_texts", "Texts predicted.")
        self._queue = gauge("cotpd_queued_texts", "Texts that wait for a batch.")
        self._model = gauge("cotpd_model_info", "The version that answers.", ("name", "version", "backend"))
        self._errors = count("cotpd_errors", "Requests that failed here.", ("kind",))
        self._reloads = count("cotpd_reloads", "Versions that the alias moved to.", ("outcome",))
        self._follows = gauge("cotpd_alias_followed", "1 while the alias's version answers.")
        self._samples = count("cotpd_samples", "Posts sampled to annotate.", ("outcome",))

    def record_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Record an answer; route and method must be of a short list."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def record_batch(self, texts: int, seconds: float) -> None:
        """Record a batch that was predicted."""
        self._batch_texts.observe(texts)
        self._batch_seconds.observe(seconds)
        self._texts.inc(texts)

    def record_queue(self, texts: int) -> None:
        """Record how many texts wait now."""
        self._queue.set(texts)

    def record_error(self, kind: str) -> None:
        """Record a request that failed for a reason of the server's."""
        self._errors.labels(kind).inc()

    def record_model(self, name: str, version: str | None, backend: str) -> None:
        """Record which version answers from now on."""
        self._model.clear()
        self._model.labels(name, version or "", backend).set(1)

    def record_reload(self, outcome: str) -> None:
        """Record that the alias moved: swapped, or refused."""
        self._reloads.labels(outcome).inc()

    def record_alias(self, is_followed: bool) -> None:
        """Record whether the alias could be read and names the version that answers."""
        self._follows.set(is_followed)

    def record_sample(self, outcome: str, count: int = 1) -> None:
        """Record posts to annotate: written, or dropped as the file is full or slow."""
        self._samples.labels(outcome).inc(count)

    def format(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        return generate_latest(self.registry)
