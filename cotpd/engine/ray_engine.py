"""The engine that computes shards as tasks on a Ray cluster, and gives their results in order.

Trade-off: plain tasks instead of Ray Data. Ray Data keeps no order unless told to (ray #50890), and then gains
nothing from asynchronous work (#51188); its blocks are of bytes, where ours are of seconds. Actors would have to
be retried by hand (#39800); a task that is lost with its machine is run again by Ray, and a worker process keeps
its model between tasks. What is written here for it is a queue of references, from whose head results are taken.
"""

import logging
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import ray
from ray import cloudpickle
from ray.exceptions import RayError, RayTaskError

from cotpd.counts import format_count
from cotpd.engine.ordered_map import Item, Result, Transform, weigh_alike
from cotpd.engine.params import ScaleParams
from cotpd.engine.ray_cluster import connect, count_slots
from cotpd.engine.shard_cutter import Shard, ShardCutter
from cotpd.engine.shard_task import ShardResult, run_shard
from cotpd.engine.worker_environment import DriverEnvironment
from cotpd.errors import ConfigError, CotpdError
from cotpd.escaping import warn

_RETRIES = 3  # of a shard that is lost; one that ends its process each time must not go on for ever
_TICK = 0.5  # seconds between two looks at signals and at the machines
_GRACE = 8.0  # seconds that shards get to commit their answers when the run is stopped
_PATIENCE = 120.0  # seconds without any machine before the run ends
_AHEAD = 2  # shards that are sent for each one that is computed, so that no machine waits for the driver


class RayEngine:
    """See :class:`cotpd.engine.ordered_map.Engine`; a context manager that closes its connection.

    Args:
        params: The cluster, and what a shard takes of it.
    """

    is_local = False

    def __init__(self, params: ScaleParams) -> None:
        self._params = params
        self._is_ours = False  # a connection that the caller's program made stays open
        self._passed_on: set[str] = set()  # warnings of workers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_ours:
            ray.shutdown()
            self._is_ours = False

    @property
    def processes(self) -> int:
        """How many shards are computed at the same time."""
        self._connect_once()
        return max(1, count_slots(self._params))

    def map_in_order(
        self,
        transform: Transform[Item, Result],
        items: Iterable[Item],
        *,
        weigh: Callable[[Item], float] = weigh_alike,
        most_at_once: int | None = None,
    ) -> Iterator[Result]:
        """See :class:`cotpd.engine.ordered_map.Engine`."""
        cutter = ShardCutter(items, weigh, self._params.shard_seconds)
        pending: deque[tuple[Shard, Any]] = deque()
        submit: Callable[[Shard], Any] | None = None
        try:
            while True:
                while len(pending) < (most_at_once or _AHEAD * self.processes):
                    if (shard := cutter.cut_next()) is None:
                        break
                    submit = submit or self._prepare(transform)
                    pending.append((shard, submit(shard)))
                if not pending:
                    return
                shard, reference = pending[0]
                self._wait_for(reference)  # if it is interrupted, this shard has to commit its answers, too
                pending.popleft()
                result = _read_result(shard, reference)
                cutter.note_speed(shard.work, result.seconds)
                yield from self._unpack(result)
        finally:
            _cancel([reference for _, reference in pending])

    def _connect_once(self) -> None:
        if not ray.is_initialized():
            connect(self._params)
            self._is_ours = True

    def _prepare(self, transform: Transform[Any, Any]) -> Callable[[Shard], Any]:
        """Put a transform where all machines can fetch it; return the function that sends a shard."""
        self._connect_once()  # Ray would start a cluster of its own for the first object that is put
        key, driver = uuid.uuid4().hex, DriverEnvironment.describe()
        pickled = ray.put(cloudpickle.dumps(transform))
        # Without max_calls=0 a process with a GPU ends after each shard, and the next one loads the model again.
        remote: Any = ray.remote(
            num_cpus=self._params.num_cpus,
            num_gpus=self._params.num_gpus,
            max_calls=0,
            max_retries=_RETRIES,
            retry_exceptions=False,
        )(run_shard)

        def submit(shard: Shard) -> Any:
            return remote.options(name=f"cotpd-shard-{shard.number}").remote(key, pickled, driver, shard.items)

        return submit

    def _wait_for(self, reference: Any) -> None:
        """Wait until a shard has ended, well or not.

        Raises:
            ConfigError: No machine is left.
        """
        last_room = time.monotonic()
        while not ray.wait([reference], timeout=_TICK)[0]:
            if count_slots(self._params):
                last_room = time.monotonic()
            elif time.monotonic() - last_room > _PATIENCE:
                raise ConfigError(
                    "the Ray cluster has lost every machine that can compute a shard",
                    "Start a node and run again: what was finished is kept.",
                )

    def _unpack(self, result: ShardResult) -> Iterator[Any]:
        """Pass warnings on, yield the results, and raise the shard's error behind them."""
        for name, level, text in result.messages:
            if text not in self._passed_on:
                self._passed_on.add(text)
                logging.getLogger(name).log(level, "%s: %s", result.host, text)
        yield from result.results
        if result.error is not None:
            raise result.error


def _read_result(shard: Shard, reference: Any) -> ShardResult:
    """Return the result of a shard that has ended.

    Raises:
        ConfigError: A machine lacks this package, or the shard ended its processes.
    """
    try:
        result: ShardResult = ray.get(reference)
    except RayTaskError as error:
        raise _explain_task_error(error) from error
    except RayError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(
            f"shard {shard.number} was lost {_RETRIES + 1} times with its process: {lines[0]}",
            "If memory ran out, lower scale.shard_seconds or raise scale.num_cpus; then run again.",
        ) from None
    return result


def _explain_task_error(error: RayTaskError) -> Exception:
    """Return this package's own error, its absence in a sentence, and any other error with the worker's trace."""
    text = str(error)
    if "failed to import on the worker" in text or "No module named 'cotpd" in text:
        address = re.search(r"ip=([^,)\s]+)", text)
        return ConfigError(
            f"the Ray node {address[1] if address else 'of this shard'} cannot import cotpd",
            "Install on every node what is installed here: the same version of cotpd with its extras.",
        )
    return error.cause if isinstance(error.cause, CotpdError) else error


def _cancel(references: list[Any]) -> None:
    """Have shards end, and wait some seconds for the answers that they commit."""
    if not references:
        return
    warn(f"stopping: waiting for {format_count(len(references), 'shard')} (at most {_GRACE:g} s)")
    for reference in references:
        ray.cancel(reference)
    ray.wait(references, num_returns=len(references), timeout=_GRACE, fetch_local=False)
