"""Refuse to run in an environment without CoTPD's packages, in the state of the flow run as well.

A worker takes runs with whatever Python started it. Prefect would show a general error of a process.
"""

import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from uuid import UUID

_NEEDED = ("pydantic", "dvc", "networkx", "psutil")
_RUN = "PREFECT__FLOW_RUN_ID"  # the environment variable that a worker sets for the process of a run


def refuse_bare_environment() -> None:
    """Raise ModuleNotFoundError with a remedy if a package is missing, and fail the flow run with it."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sentence = (
            f"{sys.executable} lacks CoTPD's packages ({', '.join(missing)}). Start the worker with the "
            "environment of its checkout (source .venv/bin/activate), or run there: pip install 'cotpd[pipeline]'"
        )
        fail_flow_run(sentence)
        raise ModuleNotFoundError(sentence, name=missing[0])


def fail_flow_run(sentence: str) -> None:
    """Fail the flow run of this process, if it is one; whatever goes wrong, the sentence is in its log as well."""
    with suppress(Exception):
        run = UUID(os.environ.get(_RUN, ""))
        from prefect.client.orchestration import get_client  # noqa: PLC0415  may be missing, too
        from prefect.states import Failed  # noqa: PLC0415  as above

        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run, Failed(message=sentence), force=True)
