"""What the display of progress shows on a terminal."""

from io import StringIO

import pytest
from rich.console import Console

from cotpd.progress import Progress


def draw(progress: Progress) -> str:
    console = Console(width=120, file=StringIO(), record=True)
    console.print(progress._draw())
    return console.export_text()


@pytest.mark.parametrize(
    ("facts", "clocks"), [(None, ["-:--:--"]), (lambda: {"time left": "0:07:00"}, ["0:07:00"]), (dict, [])]
)
def test_one_clock_is_shown(facts, clocks) -> None:
    progress = Progress("asking", 10, show=False, facts=facts)

    text = draw(progress)

    assert [word for word in text.split() if word.count(":") == 2] == clocks
