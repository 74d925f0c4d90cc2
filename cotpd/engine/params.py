"""The section `scale` of params.yaml: where work that fans out is computed, and how much of it at once."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cotpd.section import Section


def check_address(address: str) -> str:
    """Return the address of a cluster.

    Raises:
        ValueError: It is none, or of a kind that is not supported.
    """
    if address.startswith("ray://"):
        raise ValueError(
            "Ray Client is not supported: run on a node of the cluster, and name the head as HOST:6379"
        )
    if not re.fullmatch(r"auto|local|[^/\s]+:\d{1,5}", address):
        raise ValueError("name auto, local, or the head's HOST:PORT, such as 10.0.0.1:6379")
    return address


class ScaleParams(Section):
    """Where work is computed, and how much of it at once; no result depends on it."""

    engine: Literal["local", "ray"] = "local"
    """local: this process. ray: the machines of a Ray cluster, with the same results; see docs/scale.md."""
    address: Annotated[str, AfterValidator(check_address)] = "auto"
    """ray: the cluster's head (10.0.0.1:6379); auto takes the cluster that this machine belongs to, or that
    RAY_ADDRESS names; local starts one on this machine's cores."""
    shard_seconds: float = Field(default=20.0, gt=0)
    """ray: seconds of work in a shard, by the speed of the shards before it; a lost machine costs its shards."""
    num_cpus: float = Field(default=1.0, ge=0)
    """ray: processor cores of a shard."""
    num_gpus: float = Field(default=0.0, ge=0)
    """ray: GPUs of a shard; 0.5 lets two share one."""
    trainings: int = Field(default=1, ge=1, le=64)
    """Teachers of a stage that are trained at once, each in a process with memory of its own; a flow's `trainings`
    outweighs it."""
