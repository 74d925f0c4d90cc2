"""How much memory a process of a test has held at most.

``ru_maxrss`` does not say: Linux hands it on from the process that starts another, so that a child of a large test run
seems to hold as much as the test run does, however little it needs. VmHWM begins anew with the child's program.
"""

import sys

import pytest

READ_PEAK = '''
import re
from pathlib import Path
def read_peak_kilobytes():
    """Return the most memory that this process has held so far."""
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
'''

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/status is Linux's")
