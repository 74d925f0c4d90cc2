"""How a failure is shown that the user can mend: in its own words, in the log, the state and the terminal.

Prefect logs a traceback of whatever a flow or task raises, and Python prints another one of a flow run by hand.
Both are kept for faults of this software.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from cotpd.errors import ConfigError, CotpdError
from cotpd.extras import explain_missing_package
from cotpd.passwords import hide_passwords
from cotpd.storage import explain_full_disk

_TASKS, _FLOWS = (
    ("prefect.task_runs",),
    ("prefect.flow_runs", "prefect.engine"),
)  # loggers that may repeat an error
_WRONG_PARAMETERS = {"ParameterTypeError", "SignatureMismatchError", "ParameterBindError"}  # of prefect.exceptions


class StageFailedError(CotpdError):
    """A step or a study has ended with an error, whose last lines are the message."""


class _Sentences(logging.Filter):
    """Drops the traceback of an error that the user can mend, and each repetition of the error."""

    _last: BaseException | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        explained = explain_error(error) if error is not None else None
        if explained is not None:
            record.msg, record.args = "%s", (str(explained),)
            record.exc_info = record.exc_text = None
            is_repeated, self._last = error is self._last, error
            return not is_repeated
        return True


def shorten_logs() -> None:
    """Have Prefect log what the user can mend without a traceback, once for a task and once for its flow."""
    for names in (_TASKS, _FLOWS):
        sentences = _Sentences()
        for name in names:
            logging.getLogger(name).addFilter(sentences)


def explain_error(error: BaseException) -> CotpdError | None:
    """Return an error that the user can mend, whichever package raised it; None for any other."""
    if isinstance(error, CotpdError):
        return error
    if type(error).__name__ == "FailedRun":  # a state that a flow returned, with a sentence of ours
        return CotpdError(str(error))
    return explain_missing_package(error) or explain_full_disk(error)


@contextmanager
def explain_failure() -> Iterator[None]:
    """Raise an error that the user can mend in its own words, which become the message of the run's state."""
    try:
        yield
    except Exception as error:
        explained = explain_error(error)
        if explained is None or explained is error:
            raise
        raise explained from None


def show_uncaught_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error of a flow that was run by hand, with a traceback if it is a fault: a `sys.excepthook`."""
    explained = explain_error(error) or _explain_refusal(error)
    if explained is None:
        sys.stderr.write(hide_passwords("".join(traceback.format_exception(kind, error, trace))))
    else:
        sys.stderr.write(f"error: {explained}\n")


def _explain_refusal(error: BaseException) -> CotpdError | None:
    """Return what Prefect's client refused with a remedy: parameters, or a server that cannot be used."""
    if type(error).__name__ in _WRONG_PARAMETERS:
        return ConfigError(str(error), "docs/deployments.md explains the parameters.")
    if not _is_of_client(error):
        return None
    from flows.server import refuse_unusable_server  # noqa: PLC0415  imports Prefect, which may be what is missing

    try:
        refuse_unusable_server()
    except ConfigError as refusal:
        return refusal
    return None


def _is_of_client(error: BaseException) -> bool:
    """Whether an error came up while Prefect's client spoke to its server, by the code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return any("/prefect/client/" in frame.filename.replace("\\", "/") for frame in frames)
