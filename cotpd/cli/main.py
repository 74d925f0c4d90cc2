"""The command `cotpd`: its sub-commands, and how it prints an error that the user can mend."""

import os
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated

import typer

from cotpd.cli.lazy import LazyGroup
from cotpd.cli.output import show, warn
from cotpd.errors import CotpdError
from cotpd.escaping import mark_logs
from cotpd.extras import explain_missing_package, show_uncaught_error
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


def _print_version(is_asked: bool) -> None:
    if is_asked:
        show(f"cotpd {version('cotpd')}")
        raise typer.Exit


@app.callback()
def start(
    is_version_asked: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Have click treat `cotpd` as a group; its help is that of the Typer object."""


def main() -> None:
    """Run the command line; an error that the user can mend is printed without a traceback, with exit status 1."""
    mark_logs()
    sys.excepthook = show_uncaught_error  # a message of a package may repeat an address with its password
    try:
        _run_command()
    except CotpdError as error:
        warn(f"error: {error}")
        sys.exit(1)
    except BrokenPipeError:  # the program behind the pipe, such as `head`, has ended: that is no error of ours
        _discard_output()
        sys.exit(1)
    except OSError as error:
        path = error.filename2 or error.filename  # of a rename the target: the other is a partial file of ours
        where = "" if path is None else f"{path}: "
        warn(f"error: {where}{error.strerror or error}")
        _discard_output()
        sys.exit(1)
    except Exception as error:
        explained = explain_full_disk(error) or explain_missing_package(error)
        if explained is None:
            raise
        warn(f"error: {explained}")
        sys.exit(1)


def _run_command() -> None:
    """Run what the arguments name, and flush its output while a full disk is still an error like any other."""
    try:
        restore_signals()
        with interrupt_on_sigterm():
            app()
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


def _discard_output() -> None:
    """Drop output that could not be written, or Python would try again as it exits, and change the exit status."""
    with suppress(OSError, ValueError, AttributeError):  # standard output may be closed, or no file at all
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)
