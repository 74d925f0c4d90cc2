"""The page of a run with many posts: its size, and how long a browser takes to open it.

    python -m benchmarks.report [--posts 5000]

The posts are made up, with answers of the length that a language model gives. The time is from the call that opens
the page in headless Chromium until its list of posts is there.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from cotpd.report.run_page import write_run_page
from tests.browser import Browser
from tests.made_up_runs import make_run

SECONDS, MEGABYTES = 3.0, 15.0
_ANSWER = "The author names Ada, a person, and Rome, a city in Italy, and was there with friends last night. " * 4


def main() -> None:
    """Print size and time as JSON, with whether both targets are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=5000)
    count = parser.parse_args().posts
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        write_run_page(make_run(count, answer=_ANSWER), path)
        with Browser(Path(folder) / "profile") as browser:
            seconds = min(measure_opening(browser, path) for _ in range(3))
        size = path.stat().st_size / 1e6
    is_met = seconds < SECONDS and size < MEGABYTES
    print(json.dumps({"posts": count, "seconds": round(seconds, 2), "megabytes": round(size, 1), "met": is_met}))


def measure_opening(browser: Browser, path: Path) -> float:
    """Return the seconds until the list of posts is there."""
    began = time.perf_counter()
    page = browser.open_page(path.as_uri())
    page.wait_for("document.querySelectorAll('#list > li').length > 0")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
