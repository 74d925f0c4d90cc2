"""One table for a page, a terminal and a pull request."""

import io

from cotpd.escaping import SafeConsole
from cotpd.report.table_writer import Link, Table, build_rich, write_markdown

TABLE = Table(
    ("row", "F1"), [["a|b <i>", "+1.50"], [Link("student", "#student"), "70.00"]], strong=frozenset({"student"})
)


def test_markdown_has_figures_to_the_right_and_nothing_untrusted_is_markup():
    text = write_markdown(TABLE)

    assert text.splitlines() == [
        "| row | F1 |",
        "| --- | ---: |",
        r"| a\|b &lt;i&gt; | +1.50 |",
        "| **student** | **70.00** |",
    ]


def test_a_terminal_shows_the_same_cells():
    out = io.StringIO()

    SafeConsole(file=out, width=80).print(build_rich(TABLE))

    assert all(cell in out.getvalue() for cell in ("a|b <i>", "+1.50", "student", "70.00"))
