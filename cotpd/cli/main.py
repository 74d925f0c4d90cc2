"""The command `cotpd`: its sub-commands, and how an error the user can mend is shown."""

import os
import sys
from contextlib import suppress

import typer

from cotpd.cli.lazy import LazyGroup
from cotpd.cli.output import warn
from cotpd.errors import CotpdError
from cotpd.escaping import mark_logs
from cotpd.extras import explain_missing_package
from cotpd.interrupts import interrupt_on_sigterm
from cotpd.startup import restore_signals
from cotpd.storage import explain_full_disk

app = typer.Typer(
    name="cotpd",
    cls=LazyGroup,
    help="Distil a large language model's reasoning about posts with pictures into a small text-only model.\n\n"
    "Run the pipeline with `dvc repro` (or `make run`), then ask the registered student: "
    'cotpd predict "Eileen Collins waves from the pad at Kennedy"',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def start() -> None:
    """Have click treat `cotpd` as a group; its help is that of the Typer object."""


def main() -> None:
    """Run the command line; a problem the user can mend is printed without a traceback, with exit status 1."""
    mark_logs()
    try:
        try:
            restore_signals()
            with interrupt_on_sigterm():
                app()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where a full disk is still an error like any other
    except CotpdError as error:
        warn(f"error: {error}")
        sys.exit(1)
    except BrokenPipeError:  # whoever read it has read enough
        _discard_output()
        sys.exit(1)
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        warn(f"error: {where}{error.strerror or error}")
        _discard_output()
        sys.exit(1)
    except Exception as error:
        explained = explain_full_disk(error) or explain_missing_package(error)
        if explained is None:
            raise
        warn(f"error: {explained}")
        sys.exit(1)


def _discard_output() -> None:
    """Let go what could not be written, or Python would try again on its way out, with a status of its own."""
    with suppress(OSError, ValueError, AttributeError):  # standard output may be closed, or no file at all
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
