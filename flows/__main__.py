"""`python -m flows`: offer the flows as deployments and run what is asked of them, until Ctrl-C."""

import sys

from cotpd.errors import CotpdError
from cotpd.startup import restore_signals
from flows.serving import serve

if __name__ == "__main__":
    try:
        restore_signals()
        sys.exit(serve())
    except KeyboardInterrupt:  # before it serves; afterwards Ctrl-C cancels its runs
        sys.exit(130)
    except CotpdError as error:
        sys.exit(f"error: {error}")
