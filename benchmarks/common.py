"""What the benchmarks share: two sides timed in turns, and the one line of JSON that each ends with.

Trade-off: on a shared machine no time means much, a ratio of two that were taken one after the other does; what is
reported is the median of such ratios, never a time.
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
    """A median ratio, what it should be, and whether it is; ``best`` says which side of the target is good."""

    value: float
    target: float
    best: str  # "high" or "low"

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.value >= self.target if self.best == "high" else self.value <= self.target


@dataclass(frozen=True)
class Pair:
    """Medians of both sides in milliseconds, and the median of peer over ours."""

    ours: float
    peer: float
    ratio: float


def in_turns(ours: Callable[[], object], peer: Callable[[], object], rounds: int) -> Pair:
    """Time two calls, one after the other, so that a busy moment of the machine hits both."""
    times = [(_seconds(ours), _seconds(peer)) for _ in range(rounds + WARM_UP)][WARM_UP:]
    own, other = zip(*times, strict=True)
    ratio = statistics.median(b / a for a, b in times)
    return Pair(1000 * statistics.median(own), 1000 * statistics.median(other), ratio)


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def last_line(name: str, ratios: Mapping[str, Ratio]) -> str:
    """The result as one line of JSON: each ratio with its target, the hardware, the commit."""
    found = {key: {**asdict(one), "value": round(one.value, 3), "met": one.met} for key, one in ratios.items()}
    return json.dumps({"name": name, "ratios": found, "hardware": hardware(), "commit": commit()})


def hardware() -> dict[str, Any]:
    """Processor, torch's threads, GPU and torch's version."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    processor = f"{_model_name() or platform.processor()} {platform.machine()}".strip()
    return {"cpu": processor, "threads": torch.get_num_threads(), "gpu": gpu, "torch": torch.__version__}


def _model_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def commit() -> str:
    """The checkout's revision, "-dirty" behind it where files differ; empty outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
