"""Untrusted text on its way out: a terminal, a page, a spreadsheet, and the rule that everything goes through there."""

import ast
import csv
import io
import logging
from pathlib import Path

import pytest
from rich.table import Table

from cotpd.cli.output import format_json
from cotpd.escaping import SafeConsole, escape_cell, escape_html, make_printable_line, mark_logs, write_csv

ROOT = Path(__file__).parents[1]
HOSTILE = "[/] [red]ORG[/] :smile: \x1b[31m\x1b]0;x\x07\x9b \r\u202e\u2066"
SHOWN = "[/] [red]ORG[/] :smile: �[31m�]0;x�� ���"


def draw(renderable, **options):
    out = io.StringIO()
    SafeConsole(file=out, width=200, **options).print(renderable)
    return out.getvalue()


def test_a_console_prints_text_as_it_stands():
    assert draw(HOSTILE) == SHOWN + "\n"


def test_titles_heads_and_cells_of_a_table_are_text():
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE)
    assert draw(table).count(SHOWN) == 3


def test_a_terminal_obeys_only_the_styles_of_the_console_itself():
    out = draw("\x1b[2J", force_terminal=True, style="red", color_system="standard")
    assert "\x1b[2J" not in out
    assert "�[2J" in out


def test_a_name_stays_on_its_line():
    assert make_printable_line("ORG\nno problems\t") == "ORG�no problems�"


def test_json_for_a_terminal_reads_back_the_same():
    import json

    text = format_json({"type": HOSTILE}, encoding="utf-8", indent=2)
    assert json.loads(text) == {"type": HOSTILE}
    assert all(map(str.isprintable, text.splitlines()))


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\u00a0=cmd|' /C calc'!A0",
        "|x",
        "%x",
        "=\x1b",
    ],
)
def test_a_cell_that_looks_like_a_formula_is_text(cell, tmp_path):
    write_csv(tmp_path / "table.csv", ("type", "f1"), [(cell, -0.5)])

    with (tmp_path / "table.csv").open(newline="") as file:
        [_, [written, number]] = csv.reader(file)

    assert written.startswith("'")
    assert number == "-0.5"


@pytest.mark.parametrize("cell", ["ORG", "a=b", "PER-1", "", 3, -2.5, None, True])
def test_other_cells_stay_as_they_are(cell):
    assert escape_cell(cell) is cell or escape_cell(cell) == cell


def test_html_is_text_in_strings_and_in_keys():
    assert escape_html({"<b>": ["$x", '"', 1, None, ("'",)]}) == {
        "&lt;b&gt;": ["&#36;x", "&quot;", 1, None, ["&#x27;"]]
    }


def test_warnings_of_the_library_reach_the_terminal_without_control_characters(capsys, monkeypatch):
    monkeypatch.setattr(logging, "lastResort", logging._StderrHandler(logging.WARNING))
    mark_logs()
    record = logging.LogRecord("cotpd", logging.WARNING, "", 1, "the server said %s", ("\x1b[2J",), None)

    logging.lastResort.handle(record)

    assert capsys.readouterr().err == "the server said �[2J\n"


PRINTERS = {"cotpd/cli/output.py", "cotpd/escaping.py"}
# A user's own rows come back as they were: an escaped cell would move the offsets of its mentions.
COPIERS = {"cotpd/annotation/column_writers.py", "cotpd/scoring/row_writers.py"}
SINKS = {"print", "typer.echo", "typer.secho", "click.echo", "Console", "csv.writer", "csv.DictWriter"}


def test_commands_and_steps_print_through_the_sinks_that_escape():
    """A new command cannot forget it: what may print is counted, and each must hand on text that was escaped."""
    offenders = []
    for path in sorted([*ROOT.glob("cotpd/**/*.py"), *ROOT.glob("steps/*.py")]):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or name in PRINTERS | COPIERS or ast.unparse(node.func) not in SINKS:
                continue
            argument = ast.unparse(node.args[0]) if node.args else ""
            if not argument.startswith(("format_json_line(", "make_printable(", "_line(", "'", "f'going on")):
                offenders.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
    assert offenders == []
