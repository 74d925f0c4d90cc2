"""A server's parts, put together: the version that answers, the thread that follows its alias, the metrics."""

import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.registry.alias_target import AliasTarget, open_alias
from cotpd.registry.model_address import parse_version_address
from cotpd.serving.alias_follower import AliasFollower
from cotpd.serving.client_rates import ClientRates
from cotpd.serving.doubtful_posts import DoubtfulPosts
from cotpd.serving.limits import Limits
from cotpd.serving.micro_batches import MicroBatcher
from cotpd.serving.request_models import RequestModels
from cotpd.serving.served_version import ServedVersion, load_version
from cotpd.serving.service_metrics import ServiceMetrics
from cotpd.serving.training_posts import TrainingPosts

if TYPE_CHECKING:
    from cotpd.student.prediction_input import PredictionInput


class Service:
    """Everything behind the routes.

    Args:
        version: The version that answers first.
        limits: Bound requests and queue.
        token: The token that clients must send; empty asks for none.
        training_posts: Shown beside predictions, if there are any.
    """

    def __init__(
        self,
        version: ServedVersion,
        limits: Limits,
        token: str = "",
        training_posts: TrainingPosts | None = None,
    ) -> None:
        self.limits, self.training_posts, self._token = limits, training_posts, token.encode()
        self.task = version.task
        self.models = RequestModels(version.task, limits)
        self.metrics = ServiceMetrics()
        self.rates = ClientRates(limits.rate)
        wait_seconds = limits.batch_milliseconds / 1000
        self.batcher = MicroBatcher(version, limits.batch_texts, wait_seconds, limits.queued_texts, self.metrics)
        self.follower: AliasFollower | None = None
        self.samples: DoubtfulPosts | None = None
        self.metrics.record_model(**version.describe())
        self.metrics.record_alias(True)

    @property
    def needs_token(self) -> bool:
        """Whether clients must send a token."""
        return bool(self._token)

    def is_allowed(self, authorization: str) -> bool:
        """Whether a request's header holds the token; the time that this takes says nothing about the token."""
        scheme, _, token = authorization.partition(" ")
        is_equal = hmac.compare_digest(token.strip().encode("utf-8", "replace"), self._token)
        return not self._token or (is_equal and scheme.lower() == "bearer")

    def watch_alias(self, target: AliasTarget, poll_seconds: float, backend: Any, device: str) -> None:
        """Follow an alias once the service is started."""

        def load(number: int) -> ServedVersion:
            return load_registered_version(target.name, number, backend, device)

        self.follower = AliasFollower(target, load, self.batcher, self.metrics, poll_seconds)

    def sample(self, path: Path, below: float, share: float, most_bytes: int) -> None:
        """Sample doubtful posts into a file."""
        self.samples = DoubtfulPosts(path, below, share, most_bytes, self.metrics)

    def offer_sample(
        self, inputs: "Sequence[PredictionInput]", predictions: list[dict[str, Any]], version: ServedVersion
    ) -> None:
        """Offer the posts of a request to the sample, if there is one."""
        if self.samples is not None:
            self.samples.offer(inputs, predictions, version.describe())

    def describe_readiness(self) -> dict[str, Any]:
        """Return whether requests are answered, by which version, and whether it is the alias's."""
        alias = self.follower.describe() if self.follower else {"alias": None, "followed": None, "problem": None}
        model = self.batcher.version.describe()
        fields = list(self.models.task.example_row)
        return {
            "ready": self.batcher.is_alive,
            "task": self.task,
            "fields": fields,
            "model": model,
            "follows": alias,
        }

    def start(self) -> None:
        """Start the threads."""
        self.batcher.start()
        if self.follower is not None:
            self.follower.start()

    def stop(self) -> None:
        """Answer what is queued, and end the threads."""
        if self.follower is not None:
            self.follower.stop()
        self.batcher.stop()
        if self.training_posts is not None:
            self.training_posts.stop()
        if self.samples is not None:
            self.samples.stop()


def load_first_version(
    address: str, backend: Any = "auto", device: str = "auto"
) -> tuple[ServedVersion, AliasTarget | None]:
    """Load the version that a server begins with, and return with it the alias to follow, if it names one.

    Raises:
        ModelError: There is no such model, alias or registry, or files are damaged or gone.
        ConfigError: There is no such device.
    """
    target = open_alias(address)
    if target is None:
        parts = parse_version_address(address)
        name, number = (parts.name, parts.number) if parts else (None, None)
        return load_version(address, name, number, backend, device), None
    number_of_alias = target.read_number()
    if number_of_alias is None:
        return load_version(address, target.name, None, backend, device), target  # raises, naming what there is
    return load_registered_version(target.name, number_of_alias, backend, device), target


def load_registered_version(name: str, number: int, backend: Any, device: str) -> ServedVersion:
    """Load a version by its number, so that an alias that moves meanwhile changes nothing."""
    return load_version(f"models:/{name}/{number}", name, str(number), backend, device)
