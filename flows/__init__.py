"""Prefect flows: the same pipeline as `dvc repro`, scheduled, observed and spread over workers."""

import sys

from cotpd.environment import silence_libraries
from cotpd.extras import show_uncaught_error
from cotpd.startup import end_quietly_on_signals

if sys.argv[0] == "-m":  # what Python puts there while it imports this package for `python -m flows`
    end_quietly_on_signals()
sys.excepthook = show_uncaught_error
silence_libraries()
