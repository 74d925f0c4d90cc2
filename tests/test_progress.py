"""What the display of progress shows on a terminal."""

from io import StringIO

import pytest
from rich.console import Console

from cotpd import progress as progress_module
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


@pytest.mark.parametrize(
    ("total", "in_bytes", "note", "line"),
    [
        (13, False, "loss 24.837", "epoch 1: 2 of 13 (15%), loss 24.837"),
        (1_300, False, "", "epoch 1: 2 of 1,300 (0%)"),
        (None, False, "", "epoch 1: 2"),
        (91_000_000, True, "", "epoch 1: 0.0 MB of 91.0 MB (0%)"),
    ],
)
def test_without_a_terminal_a_line_gives_count_total_share_and_note(
    total, in_bytes, note, line, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(progress_module, "_EVERY", 0.0)

    with Progress("epoch 1", total, in_bytes=in_bytes) as progress:
        progress.advance(2, note)

    assert capsys.readouterr().err == f"{line}\n"
