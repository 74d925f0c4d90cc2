"""The state of a training run after its last epoch, so that a killed run goes on instead of starting over.

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
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from cotpd import devices
from cotpd.errors import ModelError
from cotpd.files import compute_sha256, write_atomically
from cotpd.storage import report_full_disk
from cotpd.student.folders import make_partial_folder, recover_interrupted_swap, remove_folder, replace_folder
from cotpd.student.model import StudentModel
from cotpd.student.persistence import load_model
from cotpd.student.processes import Processes

History = list[dict[str, Any]]  # a row an epoch
HISTORY, RUN = "history.jsonl", "run.txt"  # beside a finished model: its history; its fingerprint and its files
_STATE, _TENSORS = "state.json", "state.safetensors"


def compute_fingerprint(parts: Iterable[BaseModel], settings: str) -> str:
    """Return a digest of everything that a training run depends on, this package's own code included.

    A checkpoint or a finished model with another fingerprint is not reused.

    Args:
        parts: Labels, parameters and examples.
        settings: Whatever else the run depends on, as text.
    """
    digest = hashlib.sha256(settings.encode())
    for module in (*sorted(Path(__file__).parent.rglob("*.py")), Path(devices.__file__)):
        digest.update(module.read_bytes())
    for part in parts:
        digest.update(part.model_dump_json().encode() + b"\n")
    return digest.hexdigest()


def read_finished_history(folder: Path, fingerprint: str) -> History | None:
    """Return the history of a model that a run with this fingerprint has finished.

    Returns:
        None if the folder holds no such model, or a file of it was changed since.
    """
    try:
        if read_fingerprint(folder) != fingerprint or not _is_unchanged(folder):
            return None
        rows = [json.loads(line) for line in (folder / HISTORY).read_text("utf-8").splitlines()]
        load_model(folder)
    except (OSError, ValueError, ModelError):
        return None
    return rows


def read_fingerprint(folder: Path) -> str | None:
    """Return the fingerprint of the run that a model's folder came from; None if the folder names none."""
    try:
        lines = (folder / RUN).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    return lines[0].strip() if lines else ""


def write_run(folder: Path, fingerprint: str) -> None:
    """Write the fingerprint of the run that a model came from, and the sha256 of each of its files.

    The last file of a finished model: a folder without it is trained again, from its checkpoint.
    """
    digests = [f"{digest}  {name}\n" for name, digest in _digest_files(folder).items()]
    with write_atomically(folder / RUN) as partial:
        partial.write_text("".join([f"{fingerprint}\n", *digests]), "utf-8")


def _is_unchanged(folder: Path) -> bool:
    """Whether a finished model's folder holds the files that its run has written, and no other."""
    lines = (folder / RUN).read_text("utf-8").splitlines()[1:]
    return sorted(lines) == sorted(f"{digest}  {name}" for name, digest in _digest_files(folder).items())


def _digest_files(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file of a model's folder but its run's, by its path from there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / RUN)
    return {file.relative_to(folder).as_posix(): compute_sha256(file) for file in files}


def name_checkpoint_folder(folder: Path) -> Path:
    """Return the folder of a model's checkpoint, which lies beside the model's."""
    return folder.with_name(f".{folder.name}.resume")


class Checkpoint:
    """A folder beside the model's that holds the state after the last epoch, and is removed after training.

    Args:
        folder: The model's folder.
        fingerprint: The fingerprint of the run; a checkpoint of another run is not read.
        processes: The processes that train together. The first writes, all of them read: all must see the folder.
    """

    def __init__(self, folder: Path, fingerprint: str, processes: Processes) -> None:
        self.folder = name_checkpoint_folder(folder)
        self.fingerprint, self.processes = fingerprint, processes

    def write(
        self, model: StudentModel, best: dict[str, Tensor], optimizer: torch.optim.Optimizer, state: dict[str, Any]
    ) -> None:
        """Replace the checkpoint, whole or not at all, with the generator states of every process."""
        generators = self._gather_generator_states()
        if self.processes.is_main:
            self._write_files(model, best, optimizer, state, generators)
        self.processes.wait()

    def _gather_generator_states(self) -> dict[str, Tensor]:
        """Return the states of the generators that dropout draws from, a row a process."""
        states = {"random": self.processes.gather(torch.get_rng_state())}
        if self.processes.device.type == "cuda":
            states["random_cuda"] = self.processes.gather(torch.cuda.get_rng_state(self.processes.device))
        return states

    def _write_files(
        self,
        model: StudentModel,
        best: dict[str, Tensor],
        optimizer: torch.optim.Optimizer,
        state: dict[str, Any],
        generators: dict[str, Tensor],
    ) -> None:
        tensors = generators | {f"model.{name}": value for name, value in model.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in best.items()}
        for index, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}

        partial = make_partial_folder(self.folder)
        with report_full_disk(self.folder, partial):
            save_file({name: value.detach().cpu().clone() for name, value in tensors.items()}, partial / _TENSORS)
            (partial / _STATE).write_text(json.dumps({"run": self.fingerprint, **state}), "utf-8")
        replace_folder(partial, self.folder)

    def read(
        self, model: StudentModel, optimizer: torch.optim.Optimizer
    ) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Restore model, optimiser and torch's random generators from the checkpoint.

        Returns:
            The best weights so far and the state that was written with them; None, with nothing restored, if
            there is no checkpoint of this run or it cannot be read.
        """
        recover_interrupted_swap(self.folder)
        try:
            state = json.loads((self.folder / _STATE).read_text("utf-8"))
            if state["run"] != self.fingerprint:
                return None
            tensors = load_file(self.folder / _TENSORS)
        except (OSError, ValueError, KeyError, SafetensorError):
            return None  # no checkpoint, or a kill or a full disk left it half written: start from the beginning

        model.load_state_dict(_select_prefixed("model.", tensors))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _select_prefixed("optimizer.", tensors).items():
            index, _, moment = name.partition(".")
            moments.setdefault(int(index), {})[moment] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        self._restore_generators(tensors)
        return _select_prefixed("best.", tensors), state

    def _restore_generators(self, tensors: dict[str, Tensor]) -> None:
        """Restore this process's random generators; a rank that the killed run did not have keeps its seed."""
        index, device = self.processes.index, self.processes.device
        # rows are cloned: torch reads a state from the beginning of its storage, whatever the view
        if index < len(tensors["random"]):
            torch.set_rng_state(tensors["random"][index].clone())
        if device.type == "cuda" and index < len(tensors.get("random_cuda", ())):
            torch.cuda.set_rng_state(tensors["random_cuda"][index].clone(), device)

    def clear(self) -> None:
        """Remove the checkpoint."""
        remove_folder(self.folder)


def _select_prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, named without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
