"""All checks of a project, in the order in which a user would mend what they find."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cotpd.config import Params, load_params
from cotpd.doctor.finding import Check, Finding, run_checks
from cotpd.doctor.hardware import check_disk, check_permissions, check_processor
from cotpd.doctor.installation import check_interpreter, check_packages
from cotpd.doctor.project import (
    check_code,
    check_data,
    check_dvc,
    check_git,
    check_ledger,
    check_parameters,
    check_weights,
)
from cotpd.doctor.services import check_connections, check_language_model, check_prefect, check_registry
from cotpd.doctor.shared_state import check_remote
from cotpd.errors import CotpdError


def examine(root: Path) -> Iterator[Finding]:
    """Yield what is found on this machine and in a project's folder, one thing after the other.

    Where params.yaml cannot be read, what it would name is not looked for.
    """
    yield from run_checks(
        [
            ("python", check_interpreter),
            ("packages", check_packages),
            ("processor", check_processor),
            ("disk", partial(check_disk, root)),
            ("permissions", partial(check_permissions, root)),
            ("git", partial(check_git, root)),
            ("dvc", partial(check_dvc, root)),
            ("code", partial(check_code, root)),
            ("remote", partial(check_remote, root)),
            ("connections", check_connections),
            ("prefect", partial(check_prefect, root)),
            ("parameters", partial(check_parameters, root)),
        ]
    )
    try:
        params = load_params(root / "params.yaml")
    except CotpdError:
        return  # which check_parameters has said
    yield from run_checks(_list_parameter_checks(params, root))


def _list_parameter_checks(params: Params, root: Path) -> list[tuple[str, Check]]:
    return [
        ("data", partial(check_data, params, root)),
        ("weights", partial(check_weights, params)),
        ("ledger", partial(check_ledger, params)),
        ("language model", partial(check_language_model, params)),
        ("registry", partial(check_registry, params, root)),
    ]
