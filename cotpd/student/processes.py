"""The processes that train one model together: one, or as many as `torchrun` or `accelerate launch` started.

Built on Hugging Face accelerate, of which the rendezvous, the device of each process and the collectives are used.
Its Accelerator, dataloaders and DistributedDataParallel wrapper are left out, and so is transformers.Trainer: they
average over processes, where a step's loss is a mean over posts and shares can be unequal or empty, and they want
one call of one module a step, where a step reads several views. Trade-off: gradients travel in one sum after the
backward pass instead of during it, some milliseconds a step for a base-size encoder, and every number of processes
gives the same update.
"""

import atexit
import os
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor

from cotpd.devices import pick_device
from cotpd.errors import ConfigError

Item = TypeVar("Item")
_PATIENCE = timedelta(hours=3)  # the processes wait this long while the first one scores the valid split


def is_main_process() -> bool:
    """Whether this process writes files and prints: it is the only one, or has rank 0."""
    return os.environ.get("RANK", "0") == "0"


class Processes:
    """This process and its rank among those that train together.

    Attributes:
        device: Where this process computes.
        count: How many processes there are.
        index: The rank of this one, from 0.
        is_main: Whether this is the process that writes, prints and scores.

    Args:
        device: auto, cpu, cuda, cuda:1, mps. Among several processes, each takes the GPU of its own rank.

    Raises:
        ConfigError: The device does not exist, or several processes cannot share it.
    """

    def __init__(self, device: str) -> None:
        from accelerate import PartialState  # noqa: PLC0415  the extra pipeline

        self.device = pick_device(device)
        self._state = PartialState(cpu=self.device.type == "cpu", timeout=_PATIENCE)
        self.count: int = self._state.num_processes
        self.index: int = self._state.process_index
        self.is_main = self.index == 0

        if self.count > 1:
            if self.device.type != self._state.device.type or self.device.index is not None:
                raise ConfigError(
                    f"device {device!r} cannot be that of {self.count} processes",
                    "Use cpu, cuda or auto: each process takes the GPU of its own number.",
                )
            self.device = self._state.device
            atexit.unregister(_leave_group)
            atexit.register(_leave_group)

    def split_step(self, examples: Sequence[Item], parts: int) -> list[tuple[Sequence[Item], float]]:
        """Return the part of a step's examples that this process computes.

        Processes get stretches of about equal length. A process without an example of its own computes the first
        one with share 0, because every process must take part in the same collective sums.

        Args:
            examples: All examples of the step, at least one.
            parts: The most pieces to cut this process's stretch into (gradient accumulation).

        Returns:
            The pieces, each with its share of the whole step, 0 to 1.
        """
        start, end = _cut_evenly(len(examples), self.count)[self.index]
        pieces = [
            (examples[start + first : start + last], (last - first) / len(examples))
            for first, last in _cut_evenly(end - start, parts)
        ]
        return [(piece, share) for piece, share in pieces if share] or [(examples[:1], 0.0)]

    def sum_in_place(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one device by their sums over all processes, in place and in one message."""
        if self.count == 1:
            return
        from accelerate.utils import reduce  # noqa: PLC0415  the extra pipeline

        total = reduce(torch.cat([tensor.flatten() for tensor in tensors]), "sum")
        parts = total.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def sum_numbers(self, numbers: Sequence[float]) -> list[float]:
        """Return the sum of each number over all processes, computed in double precision."""
        device = "cpu" if self.count == 1 else self.device
        totals = torch.tensor(numbers, dtype=torch.float64, device=device)
        self.sum_in_place([totals])
        return [float(total) for total in totals.tolist()]

    def gather(self, tensor: Tensor) -> Tensor:
        """Return the tensors of all processes on the CPU, stacked by rank: (count, ...)."""
        if self.count == 1:
            return tensor.unsqueeze(0).cpu()
        from accelerate.utils import gather  # noqa: PLC0415  the extra pipeline

        gathered: Tensor = gather(tensor.to(self.device).unsqueeze(0))
        return gathered.cpu()

    def wait(self) -> None:
        """Block until every process has reached this call."""
        self._state.wait_for_everyone()


def _leave_group() -> None:
    """Close the process group at exit; a group left open makes torch print a warning."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _cut_evenly(length: int, parts: int) -> list[tuple[int, int]]:
    """Cut 0..length into ``parts`` ranges whose lengths differ by one at most, the longer ones first."""
    quotient, remainder = divmod(length, parts)
    bounds = [index * quotient + min(index, remainder) for index in range(parts + 1)]
    return list(pairwise(bounds))
