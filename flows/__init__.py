"""Prefect flows: the same pipeline as `dvc repro`, scheduled, observed and spread over workers."""

import sys
from importlib.util import find_spec

from cotpd.environment import silence_libraries
from cotpd.startup import end_quietly_on_signals
from flows.failures import shorten_logs, show_uncaught_error

_MISSING = [name for name in ("pydantic", "dvc", "networkx", "psutil") if find_spec(name) is None]
if _MISSING:  # the log of a worker and the state of its run end with this sentence, otherwise with a module's name
    raise ModuleNotFoundError(
        f"{sys.executable} lacks CoTPD's packages ({', '.join(_MISSING)}). Start the worker with the environment "
        "of its checkout (source .venv/bin/activate), or run there: pip install 'cotpd[pipeline]'",
        name=_MISSING[0],
    )

if sys.argv[0] == "-m":  # what Python puts there while it imports this package for `python -m flows`
    end_quietly_on_signals()
sys.excepthook = show_uncaught_error
shorten_logs()
silence_libraries()
