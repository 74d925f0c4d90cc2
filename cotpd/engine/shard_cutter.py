"""Cuts a stream of items into shards of about the same time, from the measured speed of the shards before them."""

import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

_GROWTH = 8  # a shard has at most so many times the work of the largest one that was measured
_MOST_BYTES = 8_000_000  # of a shard; the driver's memory holds a few of them


@dataclass(frozen=True)
class Shard:
    """Items that are computed together.

    Attributes:
        number: The number of the shard, from 0.
        items: Each pickled by itself, so that the size is known before the shard is sent.
        work: The sum of their weights.
    """

    number: int
    items: list[bytes]
    work: float


class ShardCutter(Generic[Item]):
    """Draws items until a shard has enough work.

    Trade-off: speeds are measured, so that a parameter in seconds fits pictures, requests and rows alike. Until
    the first shard is back, shards have a single item.

    Args:
        items: The stream.
        weigh: Returns the work of an item.
        seconds: The time that a shard should take.
    """

    def __init__(self, items: Iterable[Item], weigh: Callable[[Item], float], seconds: float) -> None:
        self._items, self._weigh, self._seconds = iter(items), weigh, seconds
        self._target = 0.0  # work of the next shard
        self._largest = 0.0  # work of the largest shard that was measured
        self._count = 0

    def cut_next(self) -> Shard | None:
        """Return the next shard; None once the items are used up."""
        items: list[bytes] = []
        work, size = 0.0, 0
        for item in self._items:
            items.append(pickle.dumps(item, protocol=pickle.HIGHEST_PROTOCOL))
            work += self._weigh(item)
            size += len(items[-1])
            if work >= self._target or size >= _MOST_BYTES:
                break
        if not items:
            return None
        self._count += 1
        return Shard(self._count - 1, items, work)

    def note_speed(self, work: float, seconds: float) -> None:
        """Take in how long a shard took, its model's loading left out."""
        self._largest = max(self._largest, work)
        self._target = min(self._largest * _GROWTH, work * self._seconds / max(seconds, 1e-6))
