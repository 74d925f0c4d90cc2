"""`python -m flows`: offer the flow as a deployment and run what is asked of it, until Ctrl-C."""

import sys

from cotpd.errors import CotpdError
from flows.serving import serve

if __name__ == "__main__":
    try:
        sys.exit(serve())
    except CotpdError as error:
        sys.exit(f"error: {error}")
