"""Parts of every benchmark: two sides timed in turns, and the line of JSON that each benchmark ends with.

Trade-off: a benchmark reports no times, only the median of ratios. On a shared machine a single time means little,
but a busy moment slows two calls alike that are timed one after the other.
"""

import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

WARM_UP = 3  # rounds that are not counted
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Ratio:
    """A median ratio and its target; ``best`` is "high" if it must be at least the target, "low" if at most."""

    value: float
    target: float
    best: str

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.value >= self.target if self.best == "high" else self.value <= self.target


@dataclass(frozen=True)
class Pair:
    """Median times of both sides in milliseconds, and the median of peer over CoTPD."""

    cotpd: float
    peer: float
    ratio: float


def time_in_turns(cotpd: Callable[[], object], peer: Callable[[], object], rounds: int) -> Pair:
    """Time two calls, one after the other, so that a busy moment of the machine slows both."""
    times = [(_time(cotpd), _time(peer)) for _ in range(rounds + WARM_UP)][WARM_UP:]
    cotpd_times, peer_times = zip(*times, strict=True)
    ratio = statistics.median(peer_time / cotpd_time for cotpd_time, peer_time in times)
    return Pair(1000 * statistics.median(cotpd_times), 1000 * statistics.median(peer_times), ratio)


def _time(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes, work that it left to a GPU included."""
    began = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def format_result(name: str, ratios: Mapping[str, Ratio]) -> str:
    """Return the result as one line of JSON: each ratio with its target, the hardware, the commit."""
    rows = {
        key: {**asdict(ratio), "value": round(ratio.value, 3), "met": ratio.met} for key, ratio in ratios.items()
    }
    return json.dumps({"name": name, "ratios": rows, "hardware": describe_hardware(), "commit": describe_commit()})


def describe_hardware() -> dict[str, Any]:
    """Return processor, torch's threads, GPU and torch's version."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    processor = f"{_read_processor_name() or platform.processor()} {platform.machine()}".strip()
    return {"cpu": processor, "threads": torch.get_num_threads(), "gpu": gpu, "torch": torch.__version__}


def _read_processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def describe_commit() -> str:
    """Return the checkout's revision, "-dirty" behind it if files differ; empty outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return process.stdout.strip()
