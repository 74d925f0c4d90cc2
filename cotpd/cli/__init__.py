"""The command line. Each command imports what it needs when it runs, so that `--help` stays quick."""

import sys
from pathlib import Path

from cotpd.environment import silence_libraries
from cotpd.startup import end_quietly_on_signals

if Path(sys.argv[0]).stem == "cotpd":  # and not a program or a test that imports a command
    end_quietly_on_signals()
silence_libraries()
