"""Where a training run stands after an epoch, so that a killed run goes on instead of starting over.

Trade-off: weights, the best weights and the optimiser's moments, four times the model's size, are written after
every epoch, as safetensors and JSON; at most one epoch is ever lost.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor

from cotpd import devices
from cotpd.errors import ModelError
from cotpd.storage import writing
from cotpd.student.folders import part_of, remove, replace, settle
from cotpd.student.model import StudentModel
from cotpd.student.persistence import load
from cotpd.student.processes import Processes

History = list[dict[str, Any]]
HISTORY, RUN = "history.jsonl", "run.txt"  # beside a finished model
_STATE, _TENSORS = "state.json", "state.safetensors"


def fingerprint(parts: Iterable[BaseModel], further: str) -> str:
    """A digest of everything that a run is made from, the code of this package and of the precision included.

    What another run has left, be it a checkpoint or a finished model, is no use to this one.
    """
    digest = hashlib.sha256(further.encode())
    for module in (*sorted(Path(__file__).parent.glob("*.py")), Path(devices.__file__)):
        digest.update(module.read_bytes())
    for part in parts:
        digest.update(part.model_dump_json().encode() + b"\n")
    return digest.hexdigest()


def finished(out: Path, run: str) -> History | None:
    """The history of a folder that this very run has written; None if there is none, or it is incomplete."""
    try:
        if (out / RUN).read_text("utf-8").strip() != run:
            return None
        rows = [json.loads(line) for line in (out / HISTORY).read_text("utf-8").splitlines()]
        load(out)
    except (OSError, ValueError, ModelError):
        return None
    return rows


def checkpoint_folder(out: Path) -> Path:
    """Where the checkpoint of a model's folder lies: beside it."""
    return out.with_name(f".{out.name}.resume")


class Checkpoint:
    """A folder beside the model's that holds the last finished epoch, and goes when training is over.

    Args:
        out: The model's folder.
        run: The run's fingerprint.
        processes: That train together: the first one writes, all of them read, so that all must see the folder.
    """

    def __init__(self, out: Path, run: str, processes: Processes) -> None:
        self.folder, self.run, self.processes = checkpoint_folder(out), run, processes

    def write(
        self, model: StudentModel, best: dict[str, Tensor], optimizer: torch.optim.Optimizer, state: dict[str, Any]
    ) -> None:
        """Replace the checkpoint, whole or not at all, with the random numbers of every process."""
        random = self._random()
        if self.processes.main:
            self._write(model, best, optimizer, state, random)
        self.processes.wait()

    def _random(self) -> dict[str, Tensor]:
        """States of the generators that dropout draws from, a row a process."""
        found = {"random": self.processes.gather(torch.get_rng_state())}
        if self.processes.device.type == "cuda":
            found["random_cuda"] = self.processes.gather(torch.cuda.get_rng_state(self.processes.device))
        return found

    def _write(
        self,
        model: StudentModel,
        best: dict[str, Tensor],
        optimizer: torch.optim.Optimizer,
        state: dict[str, Any],
        random: dict[str, Tensor],
    ) -> None:
        from safetensors.torch import save_file

        tensors = random | {f"model.{name}": value for name, value in model.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in best.items()}
        for at, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{at}.{name}": value for name, value in moments.items()}
        partial = part_of(self.folder)
        with writing(self.folder, partial):
            save_file({name: value.detach().cpu().clone() for name, value in tensors.items()}, partial / _TENSORS)
            (partial / _STATE).write_text(json.dumps({"run": self.run, **state}), "utf-8")
        replace(partial, self.folder)

    def read(
        self, model: StudentModel, optimizer: torch.optim.Optimizer
    ) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Put model, optimiser and torch's random numbers back; None where there is nothing to go on from.

        Returns:
            The best weights so far and the state that was written with them.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        settle(self.folder)
        try:
            state = json.loads((self.folder / _STATE).read_text("utf-8"))
            if state["run"] != self.run:
                return None
            tensors = load_file(self.folder / _TENSORS)
        except (OSError, ValueError, KeyError, SafetensorError):
            return None  # none, or one that a kill or a full disk left half written: start from the beginning
        model.load_state_dict(_below("model.", tensors))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _below("optimizer.", tensors).items():
            at, _, what = name.partition(".")
            moments.setdefault(int(at), {})[what] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        self._draw_on(tensors)
        return _below("best.", tensors), state

    def _draw_on(self, tensors: dict[str, Tensor]) -> None:
        """Put the random numbers back; a process that the killed run did not have keeps its own."""
        index, device = self.processes.index, self.processes.device
        # rows are cloned: torch reads a state from the beginning of its storage, whatever the view
        if index < len(tensors["random"]):
            torch.set_rng_state(tensors["random"][index].clone())
        if device.type == "cuda" and index < len(tensors.get("random_cuda", ())):
            torch.cuda.set_rng_state(tensors["random_cuda"][index].clone(), device)

    def clear(self) -> None:
        """Remove it."""
        remove(self.folder)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
