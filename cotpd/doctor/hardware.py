"""Disk, memory, processor, and the variables that lead connections elsewhere."""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from cotpd.counts import format_count
from cotpd.doctor.finding import Finding, Status
from cotpd.weights import find_cache_folder

_ENOUGH, _LEAST = 5e9, 1e9  # bytes of disk: a run on the sample with its weights takes some 2 GB


def check_disk(root: Path) -> Iterator[Finding]:
    """Check the room on the disks of the project and of the cache of weights."""
    checked: set[int] = set()
    for folder in (root.resolve(), find_cache_folder()):
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        device = existing.stat().st_dev
        if device in checked:
            continue
        checked.add(device)
        free = shutil.disk_usage(existing).free
        status = Status.PROBLEM if free < _LEAST else Status.NOTE if free < _ENOUGH else Status.OK
        remedy = "" if status is Status.OK else "Free some space: `dvc gc -w` removes what no commit needs."
        yield Finding("disk", status, f"{free / 1e9:,.1f} GB free at {existing}", remedy)


def check_permissions(root: Path) -> Iterator[Finding]:
    """Check that the folders that a run writes to can be written."""
    unwritable = [
        folder
        for name in ("", "data", "models", "reports", ".dvc", ".git")
        if (folder := root / name).is_dir() and not os.access(folder, os.W_OK | os.X_OK)
    ]
    for folder in unwritable:
        remedy = "Change its owner or its permissions, or work in a copy of your own."
        yield Finding("permissions", Status.PROBLEM, f"{folder.resolve()} cannot be written", remedy)
    if not unwritable:
        yield Finding("permissions", Status.OK, f"{root.resolve()} can be written")


def check_processor() -> Iterator[Finding]:
    """Say what computes: a GPU, or how many cores."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = format_count(available or 1, "core")
    if find_spec("torch") is None:
        yield Finding("processor", Status.OK, f"{cores}; torch is not installed")
        return
    import torch  # noqa: PLC0415  takes seconds, and may be missing

    if torch.cuda.is_available():
        yield Finding("processor", Status.OK, f"{torch.cuda.get_device_name()}, {cores}")
    elif shutil.which("nvidia-smi"):
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
        problem = f"there is an NVIDIA driver, and torch {torch.__version__}, built with {built}, sees no GPU"
        remedy = "Install a build of torch for this driver: https://pytorch.org/get-started/locally/"
        yield Finding("processor", Status.NOTE, problem, remedy)
    else:
        yield Finding("processor", Status.OK, f"{cores}, no GPU: the sample takes minutes, a real data set hours")
