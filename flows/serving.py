"""Serve the flows from this machine: deployments without a work pool, whose runs are processes of this program.

Trade-off: `Flow.serve` does the same in one line, but pauses the deployment when it ends, which others may use,
and prints nothing after Ctrl-C until the last run has ended by itself.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.runner import Runner
from prefect.settings import get_current_settings
from rich.console import Console

from cotpd.errors import ConfigError
from flows.deployments import Deployment, read_deployments
from flows.project_root import ROOT
from flows.server import open_server
from flows.states import close_dead_runs
from flows.stuck_runs import close_stuck_runs
from flows.work_pools import list_problems
from steps.guard import GRACE

_POLL = 2.0  # seconds; Prefect's default is 10
_LAST_WORDS = 10.0  # seconds after a second Ctrl-C in which the states of the runs are written

console = Console(stderr=True, highlight=False)


def serve() -> int:
    """Serve the deployments of prefect.yaml until Ctrl-C or SIGTERM; return the exit status.

    Raises:
        ConfigError: No Prefect server answers, or prefect.yaml cannot be used.
    """
    deployments = build_deployments()
    with get_client(sync_client=True) as client:
        for sentence in list_problems(client, read_deployments()):
            console.print(f"warning: {sentence}", markup=False, soft_wrap=True)
        close_stuck_runs(client, partial(console.print, markup=False, soft_wrap=True))
    close_dead_runs(ROOT, partial(console.print, markup=False, soft_wrap=True))
    # limit: two runs would write the same files
    server = Server(name="cotpd", pause_on_shutdown=False, limit=1, query_seconds=choose_poll())
    for deployment in deployments:
        server.add_deployment(deployment)
    return asyncio.run(server.serve([deployment.full_name for deployment in deployments]))


def choose_poll() -> float:
    """Return the seconds between two questions for runs that are due; Prefect's default makes a short run wait."""
    runner = get_current_settings().runner
    return runner.poll_frequency if "poll_frequency" in runner.model_fields_set else _POLL


def build_deployments() -> list[RunnerDeployment]:
    """Return the deployments to serve.

    Raises:
        ConfigError: The Prefect server cannot be used, prefect.yaml cannot, or work pools have both names of a
            deployment.
    """
    deployments = read_deployments()
    with open_server() as client:
        return [build_deployment(client, deployment) for deployment in deployments]


def build_deployment(client: SyncPrefectClient, deployment: Deployment) -> RunnerDeployment:
    """Return one deployment to serve; schedules and a pause that were set on the server stay as they are.

    Raises:
        ConfigError: Work pools have all names of the flow.
    """
    name, exists = choose_name(client, deployment)
    offer = RunnerDeployment.from_flow(
        deployment.flow,
        name=name,
        parameters=dict(deployment.parameters),
        description=deployment.description,
        tags=list(deployment.tags),
        schedules=None if exists else deployment.build_schedules(),
        concurrency_limit=deployment.build_limit(),
    )
    if exists:  # an unset field is not sent, while an empty list would delete the schedules
        offer.model_fields_set.difference_update({"schedules", "paused"})
    return offer


def choose_name(client: SyncPrefectClient, deployment: Deployment) -> tuple[str, bool]:
    """Return the first name that no work pool has, and whether there is a deployment of that name.

    Raises:
        ConfigError: Work pools have all names.
    """
    full_names = [f"{deployment.flow.name}/{name}" for name in deployment.names]
    for name, full_name in zip(deployment.names, full_names, strict=True):
        try:
            present = client.read_deployment_by_name(full_name)
        except ObjectNotFound:
            return name, False
        if present.work_pool_name is None:
            if present.paused:
                console.print(f"{full_name} is paused: its schedules rest until it is resumed.", markup=False)
            return name, True
        console.print(f"{full_name} belongs to work pool {present.work_pool_name}.", markup=False)
    problem = f"work pools have {' and '.join(full_names)}"
    raise ConfigError(problem, "Rename one of them in prefect.yaml, or start a worker instead.")


class Server(Runner):
    """Prefect's runner, which prints why it waits when it is stopped, and waits for a bounded time."""

    async def serve(self, deployments: Sequence[str]) -> int:
        """Run until a signal comes; return the exit status that a shell expects after it."""
        self._status, self._main_task = 0, asyncio.current_task()
        self._serving_loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            self._serving_loop.add_signal_handler(number, self.stop_on_signal, number)
        for deployment in deployments:
            console.print(f"Serving {deployment} until Ctrl-C. Run it with:", markup=False)
            console.print(f"  prefect deployment run {deployment} --watch", markup=False, soft_wrap=True)
        with suppress(asyncio.CancelledError):
            await self.start()
        return self._status

    def handle_sigterm(self, *_: Any) -> None:
        """Stop after SIGTERM, for which the runner installs this method."""
        self._serving_loop.call_soon_threadsafe(self.stop_on_signal, signal.SIGTERM)

    def stop_on_signal(self, number: int) -> None:
        """Cancel the runs in progress; after a second signal kill them."""
        if self._status:
            console.print("Killing the runs in progress.")
            kill_children()
            self._serving_loop.call_later(_LAST_WORDS, os._exit, self._status)
            return
        self._status = 128 + number
        console.print(
            f"Stopping: runs in progress are cancelled, with {GRACE:.0f} seconds to write what their steps have; "
            "Ctrl-C again kills them.",
            soft_wrap=True,
        )
        if self.started:
            self._stopping_task = asyncio.ensure_future(self.astop())
        elif self._main_task is not None:
            self._main_task.cancel()


def kill_children() -> None:
    """Kill the runs, which are child processes of this program; the guard of each step then ends the step."""
    for process in psutil.Process().children():
        with suppress(psutil.Error):
            process.kill()
