"""The processor that computes: its name, its cores, and the instructions that decide how quick int8 is."""

import os
import platform
from pathlib import Path
from typing import Literal

from cotpd.data.records import Record

Instructions = Literal["amx", "vnni", "avx512", "avx2", "other"]
_FLAGS: dict[Instructions, tuple[str, ...]] = {  # of Linux, the best first
    "amx": ("amx_int8",),
    "vnni": ("avx512_vnni", "avx_vnni"),
    "avx512": ("avx512f",),
    "avx2": ("avx2",),
}


class Machine(Record):
    """A processor, the cores that this process may use, and its best instructions for integers."""

    processor: str
    cores: int
    instructions: Instructions


def describe_machine() -> Machine:
    """Return the machine that this process runs on; what only Linux tells is left open elsewhere."""
    fields = _read_cpuinfo()
    name = fields.get("model name") or platform.processor() or platform.machine()
    flags = set(fields.get("flags", "").split())
    best: Instructions = next((kind for kind, names in _FLAGS.items() if flags.intersection(names)), "other")
    return Machine(processor=name, cores=count_cores(), instructions=best)


def count_cores() -> int:
    """Return the cores that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def _read_cpuinfo() -> dict[str, str]:
    """Return the fields of the first processor in /proc/cpuinfo; none where there is no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return {}
    lines = [line.partition(":") for line in text.partition("\n\n")[0].splitlines()]
    return {name.strip(): value.strip() for name, _, value in lines}
