"""Code that every step shares: reading the parameters, printing, and ending."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import steps
from cotpd.code_record import explain_other_code
from cotpd.config import Params, load_params
from cotpd.errors import CotpdError
from cotpd.escaping import SafeConsole, mark_logs
from cotpd.interrupts import interrupt_on_sigterm
from cotpd.passwords import hide_passwords
from cotpd.startup import restore_signals
from cotpd.storage import explain_full_disk

console = SafeConsole(stderr=True)


def main(step: Callable[[Params], None]) -> None:
    """Run a step on params.yaml; print an error that the user can mend, without a traceback.

    The exit status is 1 after such an error, and 130 after Ctrl-C or SIGTERM.
    """
    mark_logs()
    try:
        restore_signals()
        with interrupt_on_sigterm():
            refuse_other_code()
            if steps.RUN is not None:
                steps.RUN.verify_former_stages()
            step(load_params())
            refuse_other_code()  # the package may have been upgraded while the step ran
            if steps.RUN is not None:
                steps.RUN.verify_inputs()
    except CotpdError as error:
        console.print(f"error: {error}", style="red", soft_wrap=True)
        sys.exit(1)
    except Exception as error:
        full_disk = explain_full_disk(error)
        if full_disk is None and not isinstance(error, OSError):
            raise
        console.print(f"error: {full_disk or _describe(error)}", style="red", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("interrupted; run again to go on")
        sys.exit(130)


def refuse_other_code() -> None:
    """Refuse to run a project's step, or to let DVC record its outputs, with other code than the project names.

    Raises:
        ConfigError: The installed code is not the code of the project.
    """
    other_code = explain_other_code(Path())
    if other_code is not None:
        raise other_code


def _describe(error: BaseException) -> str:
    """Return an error of the operating system in one line: the file, if it names one, and the reason."""
    file, reason = getattr(error, "filename", None), getattr(error, "strerror", None)
    return hide_passwords(f"{reason or error}" if file is None else f"{file}: {reason or error}")


def say(message: str) -> None:
    """Print one line on what the step did; of several processes (torchrun) only the first one prints it."""
    if os.environ.get("RANK", "0") == "0":
        console.print(hide_passwords(message), soft_wrap=True)
