"""One module per pipeline step: read the inputs, call cotpd, write the outputs.

Run one as ``python -m steps.NAME``; dvc.yaml says what each reads, writes and is steered by.
"""

import sys
from importlib.util import find_spec

from cotpd.environment import silence_libraries
from cotpd.extras import show_uncaught_error
from cotpd.startup import end_quietly_on_signals

_IS_STEP = sys.argv[0] == "-m"  # what Python puts there while it imports this package for `python -m steps.NAME`
if _IS_STEP:
    end_quietly_on_signals()
if find_spec("pydantic") is None:  # `.venv/bin/dvc repro` runs whatever python comes first on the path
    sys.exit(f"{sys.executable} lacks CoTPD's packages.\n  Run: source .venv/bin/activate   (or use make run)")

if sys.excepthook is sys.__excepthook__:  # the flows have one of their own
    sys.excepthook = show_uncaught_error
silence_libraries()

RUN = None
"""The run of a step that DVC has started; begun before the step's own modules are read, as they are inputs too."""
if _IS_STEP:
    from steps.under_dvc import begin_under_dvc

    RUN = begin_under_dvc()
