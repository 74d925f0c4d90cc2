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

One = TypeVar("One")
_PATIENCE = timedelta(hours=3)  # the others wait while the first one scores the valid split


def leads() -> bool:
    """Whether this process is the one that writes and prints: the only one, or the first."""
    return os.environ.get("RANK", "0") == "0"


class Processes:
    """This process among its like.

    Args:
        device: auto, cpu, cuda, cuda:1, mps. Among several, each takes the GPU of its own number.

    Raises:
        ConfigError: The device is not there, or cannot be shared by several processes.
    """

    def __init__(self, device: str) -> None:
        from accelerate import PartialState

        self.device = pick_device(device)
        self._state = PartialState(cpu=self.device.type == "cpu", timeout=_PATIENCE)
        self.count, self.index = self._state.num_processes, self._state.process_index
        self.main = self.index == 0
        if self.count > 1:
            if self.device.type != self._state.device.type or self.device.index is not None:
                raise ConfigError(
                    f"device {device!r} cannot be that of {self.count} processes",
                    "Use cpu, cuda or auto: each process takes the GPU of its own number.",
                )
            self.device = self._state.device
            atexit.unregister(_leave)
            atexit.register(_leave)

    def share(self, chosen: Sequence[One], parts: int) -> list[tuple[Sequence[One], float]]:
        """What this process does of a step, in at most ``parts`` parts, each with its share of the whole.

        Processes get stretches of about equal length. One for which nothing is left computes the first example
        for a share of 0, so that all of them meet in the same sums.
        """
        start, end = _bounds(len(chosen), self.count)[self.index]
        found = [(chosen[start + a : start + b], (b - a) / len(chosen)) for a, b in _bounds(end - start, parts)]
        return [(part, share) for part, share in found if share] or [(chosen[:1], 0.0)]

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one device by their sums over all processes, in place and in one message."""
        if self.count > 1:
            from accelerate.utils import reduce

            total = reduce(torch.cat([tensor.flatten() for tensor in tensors]), "sum")
            for tensor, part in zip(tensors, total.split([t.numel() for t in tensors]), strict=True):
                tensor.copy_(part.view_as(tensor))

    def total(self, numbers: Sequence[float]) -> list[float]:
        """Sums over all processes, in double precision."""
        summed = torch.tensor(numbers, dtype=torch.float64, device="cpu" if self.count == 1 else self.device)
        self.add([summed])
        return summed.tolist()

    def gather(self, tensor: Tensor) -> Tensor:
        """The tensors of all processes, stacked in the order of their numbers, on the CPU: (count, ...)."""
        from accelerate.utils import gather

        return gather(tensor.to(self.device).unsqueeze(0)).cpu() if self.count > 1 else tensor.unsqueeze(0).cpu()

    def wait(self) -> None:
        """Until all are here."""
        self._state.wait_for_everyone()


def _leave() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _bounds(length: int, parts: int) -> list[tuple[int, int]]:
    """Cut a length into parts that differ by one at most, the longer ones first."""
    few, longer = divmod(length, parts)
    starts = [at * few + min(at, longer) for at in range(parts + 1)]
    return list(pairwise(starts))
