"""Prefect flows: the same pipeline as `dvc repro`, scheduled, observed and spread over workers."""

import sys

from cotpd.environment import silence_libraries
from cotpd.startup import end_quietly_on_signals
from flows.failures import shorten_logs, show_uncaught_error
from flows.missing_packages import refuse_bare_environment

refuse_bare_environment()  # before a module of the flows imports what is missing
if sys.argv[0] == "-m":  # what Python puts there while it imports this package for `python -m flows`
    end_quietly_on_signals()
sys.excepthook = show_uncaught_error
shorten_logs()
silence_libraries()
