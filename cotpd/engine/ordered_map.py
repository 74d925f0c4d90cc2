"""The interface of every engine: a function of a stream of items, applied to it, with the results in order.

Trade-off: an engine knows items and nothing of steps. Whatever must stay together for the same result, such as the
rows of a batch, is one item; then the boundaries of shards change no byte, and an engine may choose them by time.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

from cotpd.engine.params import ScaleParams

Item = TypeVar("Item")
Result = TypeVar("Result")
Transform = Callable[[Iterable[Item]], Iterator[Result]]


def weigh_alike(_item: object) -> float:
    """Count each item as the same amount of work."""
    return 1.0


class Engine(Protocol):
    """Computes a stream of results.

    Attributes:
        is_local: Whether this process computes everything.
        processes: How many shards are computed at the same time.
    """

    is_local: bool

    @property
    def processes(self) -> int:
        """See above."""
        ...

    def map_in_order(
        self,
        transform: Transform[Item, Result],
        items: Iterable[Item],
        *,
        weigh: Callable[[Item], float] = weigh_alike,
        most_at_once: int | None = None,
    ) -> Iterator[Result]:
        """Yield what ``transform`` yields for the items, in their order; memory holds a few shards at a time.

        Args:
            transform: Called once, or once a shard. It is pickled for other machines, so it loads its model where
                it is unpickled.
            items: Drawn as they are needed.
            weigh: Returns the work of an item, in any unit.
            most_at_once: The most shards that may be computed at the same time; None for no limit.

        Raises:
            CotpdError: As ``transform`` does, after the results before it; or a machine cannot compute.
        """
        ...


class LocalEngine:
    """Computes everything in this process, as one stream."""

    is_local, processes = True, 1

    def map_in_order(
        self,
        transform: Transform[Item, Result],
        items: Iterable[Item],
        *,
        weigh: Callable[[Item], float] = weigh_alike,  # noqa: ARG002  of the protocol
        most_at_once: int | None = None,  # noqa: ARG002  of the protocol
    ) -> Iterator[Result]:
        """See :class:`Engine`."""
        return transform(items)


LOCAL = LocalEngine()


def open_engine(params: ScaleParams) -> AbstractContextManager[Engine]:
    """Return the engine that the parameters name, for a `with` block. Ray is connected to when work arrives.

    Raises:
        ConfigError: On the first work: there is no cluster at the address, or it has other versions.
    """
    if params.engine == "local":
        return nullcontext(LOCAL)
    from cotpd.engine.ray_engine import RayEngine  # noqa: PLC0415  an optional extra

    return RayEngine(params)
