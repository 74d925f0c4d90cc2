"""A Ray cluster of real processes on loopback: a head and nodes that tests add and kill."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

# Ray takes 127.0.0.1 for the machine's outer address, and 127.0.0.2 for what it is: loopback
SMALL = {"object_store_memory": 80 * 2**20, "node_ip_address": "127.0.0.2", "dashboard_host": "127.0.0.1"}

# a node that is gone is noticed after four seconds; a slow one still has ten for each answer
WATCHFUL = {"health_check_period_ms": 1000, "health_check_failure_threshold": 4}


@contextmanager
def start_cluster() -> Iterator[Any]:
    """Start a head with room for one shard, and end all its processes afterwards; its sockets want a short path."""
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    # a cluster of this class notes its address in a folder that only Ray's command line makes
    Path(folder, "ray").mkdir()
    cluster = Cluster()
    try:
        with _set_variables({"RAY_TMPDIR": folder}):
            cluster.add_node(
                num_cpus=1, include_dashboard=False, temp_dir=folder, _system_config=WATCHFUL, **SMALL
            )
        yield cluster
    finally:
        with _set_variables({"RAY_TMPDIR": folder}):
            cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def add_node(cluster: Any, environment: Mapping[str, str] | None = None, **resources: float) -> Any:
    """Add a node with room for one shard, whose workers see some more variables."""
    with _set_variables(environment or {}):
        return cluster.add_node(**({"num_cpus": 1} | resources), **SMALL)


@contextmanager
def _set_variables(variables: Mapping[str, str]) -> Iterator[None]:
    former = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(former)


def kill_node(cluster: Any, node: Any) -> None:
    """Kill every process of a node at once, its workers included: the machine is gone."""
    raylet = node.all_processes["raylet"][0].process
    processes = [*psutil.Process(raylet.pid).children(recursive=True), psutil.Process(raylet.pid)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    cluster.remove_node(node, allow_graceful=False)
