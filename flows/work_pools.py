"""`python -m flows.work_pools`: whether the work pools of prefect.yaml can run its deployments.

Prefect takes a deployment for any pool. What is wrong with the pool then shows as a run that is never picked up,
or in the traceback of a worker.
"""

import sys
from collections.abc import Iterator, Sequence

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import WorkPool, WorkPoolStatus
from prefect.exceptions import ObjectNotFound

from cotpd.errors import CotpdError
from flows.deployments import Deployment, read_deployments
from flows.server import open_server

HOME = (
    "cotpd_home"  # Prefect's variable of the checkout's folder on the workers, for the pull step of prefect.yaml
)
_START = "prefect worker start --pool {name} --type process"
_TYPES = {"process", "docker", "kubernetes"}  # those in which a checkout can lie: in an image, for two of them


def list_problems(client: SyncPrefectClient, deployments: Sequence[Deployment]) -> Iterator[str]:
    """Yield a sentence with a remedy for all that keeps existing work pools from running the deployments.

    A pool that does not exist is none: whoever serves the deployments by `python -m flows` needs no pool.
    """
    names = dict.fromkeys(deployment.work_pool.name for deployment in deployments if deployment.work_pool)
    pools = [pool for name in names if (pool := _find_pool(client, name)) is not None]
    for pool in pools:
        yield from _check_pool(pool)
    if pools and client.read_variable_by_name(HOME) is None:
        yield f'the server has no variable {HOME}, the folder on the workers: prefect variable set {HOME} "$PWD"'


def _find_pool(client: SyncPrefectClient, name: str) -> WorkPool | None:
    try:
        return client.read_work_pool(name)
    except ObjectNotFound:
        return None


def _check_pool(pool: WorkPool) -> Iterator[str]:
    start = _START.format(name=pool.name)
    if pool.type not in _TYPES:
        yield (
            f"work pool {pool.name} is of type {pool.type}, whose runs have no checkout of the project: "
            f"prefect work-pool delete {pool.name}, then {start}; or name another pool in prefect.yaml"
        )
    elif pool.is_paused:
        yield f"work pool {pool.name} is paused, so its runs wait: prefect work-pool resume {pool.name}"
    elif pool.status != WorkPoolStatus.READY:
        start = start.replace("process", pool.type)
        yield f"no worker of work pool {pool.name} is at work, so its runs wait: {start}"


def main() -> int:
    """Print what is wrong with the work pools; return 1 if something is."""
    with open_server() as client:
        problems = list(list_problems(client, read_deployments()))
    for sentence in problems or ["The work pools can run the deployments, or there is none."]:
        sys.stdout.write(f"{sentence}\n")
    return bool(problems)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CotpdError as error:
        sys.exit(f"error: {error}")
