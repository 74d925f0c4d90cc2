"""Connecting to a Ray cluster, with its refusals in sentences, and what its machines have room for."""

import logging
import os
import signal
import socket
import threading
from typing import Any

import ray

from cotpd.counts import format_count
from cotpd.engine.params import ScaleParams, check_address
from cotpd.errors import ConfigError
from cotpd.escaping import warn

_SECONDS = 5.0  # that a head may take to accept a connection; Ray itself would try for minutes
_START = "Start one (ray start --head), or name its head in scale.address; scale.engine: local needs none."


def connect(params: ScaleParams) -> None:
    """Connect to the cluster that the parameters name, and say how large it is.

    Raises:
        ConfigError: None answers there, it has another version of Python or Ray, or no machine of it has the cores
            or GPUs of one shard.
    """
    address = _choose_address(params.address)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        ray.shutdown()  # a refused process counts as connected
        raise _explain_refusal(address, error) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray sets its own, after which SIGTERM would lose answers

    slots = count_slots(params)
    if not slots:
        ray.shutdown()
        raise ConfigError(
            f"no machine of the Ray cluster has {_describe_needs(params)}, which scale asks for a shard",
            "Lower scale.num_cpus or scale.num_gpus, or start a node that has them.",
        )
    warn(f"ray: {format_count(len(list_nodes()), 'node')}, {format_count(slots, 'shard')} at a time")


def list_nodes() -> list[dict[str, Any]]:
    """Return the nodes that live, as Ray describes them."""
    return [node for node in ray.nodes() if node["Alive"]]


def count_slots(params: ScaleParams) -> int:
    """Return how many shards the living machines compute at the same time."""
    return sum(_count_slots_of(node["Resources"], params) for node in list_nodes())


def _count_slots_of(resources: dict[str, float], params: ScaleParams) -> int:
    needs = {"CPU": params.num_cpus, "GPU": params.num_gpus}
    room = [resources.get(name, 0.0) / need for name, need in needs.items() if need]
    return int(min(room)) if room else int(resources.get("CPU", 0.0))


def _describe_needs(params: ScaleParams) -> str:
    return f"{format_count(params.num_cpus, 'core')} and {format_count(params.num_gpus, 'GPU')}"


def _choose_address(address: str) -> str:
    """Return the address to connect to, once something listens there.

    Raises:
        ConfigError: Nothing does, or RAY_ADDRESS holds no address that is supported.
    """
    if address == "auto":
        address = _read_variable() or address
    host, colon, port = address.rpartition(":")
    if not colon:
        return address
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS).close()
    except (OSError, ValueError) as error:
        raise ConfigError(f"scale.address: no Ray cluster answers at {address}: {error}", _START) from None
    return address


def _read_variable() -> str:
    address = os.environ.get("RAY_ADDRESS", "")
    try:
        return address and check_address(address)
    except ValueError as error:
        raise ConfigError(f"RAY_ADDRESS={address}: {error}", "Unset it, or name the head: HOST:PORT.") from None


def _explain_refusal(address: str, error: Exception) -> ConfigError:
    """Return Ray's refusal of a connection with a remedy."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines and lines[0].startswith("Version mismatch"):
        return ConfigError(
            f"the Ray cluster at {address} has other versions than this process: {' '.join(lines[1:])}",
            "Start its nodes, and this, from environments with the same Python and Ray.",
        )
    if isinstance(error, ConnectionError) and address == "auto":
        return ConfigError("scale.address: this machine belongs to no Ray cluster", _START)
    problem = lines[0] if lines else type(error).__name__
    return ConfigError(
        f"the Ray cluster at {address} cannot be used: {problem}",
        "Run this on one of its nodes; a machine joins with: ray start --address=HEAD:PORT",
    )
