"""One module per pipeline step: read the inputs, call cotpd, write the outputs.

Run one as ``python -m steps.NAME``; dvc.yaml says what each reads, writes and is steered by.
"""

import sys

try:
    from cotpd.environment import quiet
except ModuleNotFoundError as missing:
    sys.exit(f"{missing}: the environment is not active.\n  Run: source .venv/bin/activate   (or use make run)")

quiet()
