"""A table for people, written once for each medium: a page, a terminal, a pull request."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from rich.table import Column
from rich.table import Table as RichTable

from cotpd.escaping import escape_markdown


class Link(NamedTuple):
    """A cell that leads to another part of its page."""

    text: str
    href: str


Cell = str | Link
_FIGURES = re.compile(r"[-+±\d., %to]*")  # in a cell none of these signs is markup


@dataclass(frozen=True)
class Table:
    """Cells as text below their headings.

    Attributes:
        headings: One for each column.
        rows: The cells of each row.
        texts: How many columns from the left hold text; the others hold figures and are set to the right.
        title: What the table shows; a page puts it above.
        note: How to read it, below.
        strong: Texts in rows to emphasise.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    texts: int = 1
    title: str = ""
    note: str = ""
    strong: frozenset[str] = frozenset()

    def is_figure(self, column: int) -> bool:
        """Whether a column, counted from 0, holds figures."""
        return column >= self.texts

    def is_strong(self, row: Sequence[Cell]) -> bool:
        """Whether a row is emphasised."""
        return any(get_text(cell) in self.strong for cell in row[: self.texts])


def get_text(cell: Cell) -> str:
    """Return what a cell shows."""
    return cell.text if isinstance(cell, Link) else cell


def split_table(table: Table, column: int) -> tuple[Table, Table]:
    """Return the columns before one and those from it on as two tables, each with the texts of its rows.

    A row without a figure in a part is left out there.
    """
    return _select_columns(table, table.texts, column), _select_columns(table, column, len(table.headings))


def _select_columns(table: Table, start: int, stop: int) -> Table:
    rows = [(*row[: table.texts], *row[start:stop]) for row in table.rows if any(map(get_text, row[start:stop]))]
    return replace(table, headings=(*table.headings[: table.texts], *table.headings[start:stop]), rows=rows)


def write_markdown(table: Table) -> str:
    """Return a table in Markdown, without a newline at its end; its title and note are left to the caller."""
    return "\n".join(_iterate_lines(table))


def _iterate_lines(table: Table) -> Iterator[str]:
    marks = ["---:" if table.is_figure(column) else "---" for column in range(len(table.headings))]
    yield _join_cells([escape_markdown(heading) for heading in table.headings])
    yield _join_cells(marks)
    for row in table.rows:
        yield _join_cells([_write_cell(table, row, cell) for cell in row])


def _write_cell(table: Table, row: Sequence[Cell], cell: Cell) -> str:
    text = get_text(cell)
    text = text if _FIGURES.fullmatch(text) else escape_markdown(text)
    return f"**{text}**" if text and table.is_strong(row) else text


def _join_cells(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def build_rich(table: Table) -> RichTable:
    """Return a table for the terminal; figures are not wrapped, since half of a figure cannot be read."""
    columns = [
        Column(heading, no_wrap=table.is_figure(index), justify="right" if table.is_figure(index) else "left")
        for index, heading in enumerate(table.headings)
    ]
    drawn = RichTable(*columns)
    for row in table.rows:
        drawn.add_row(*map(get_text, row))
    return drawn
