"""Write the Data Docs: pages on the checks of each table, which open without a network.

Trade-off: they are our own pages of Great Expectations' results. Its pages load sixteen files from four public
networks and are empty without them, name rows by their number, and add 4 MB of fonts and pictures to each run.
These hold a style and no script at all, so that nothing of an answer can run in them.

The same tables must give the same bytes, by whichever door a run came, so the time of a run cannot stand in them.
It lies beside their folder, in a style sheet named after their contents, which the first page shows: a page that
comes back from DVC's cache shows when just its rows were checked here, or that this machine does not know.
"""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cotpd.environment import silence_libraries
from cotpd.escaping import escape_html
from cotpd.expectations.checked_tables import CheckedTable, list_checked_tables
from cotpd.files import write_atomically
from cotpd.storage import report_full_disk

if TYPE_CHECKING:
    from great_expectations.data_context import EphemeralDataContext

TIMES = "checked"  # a folder beside that of the pages
_INDEX = "index.html"


def make_context() -> "EphemeralDataContext":
    """Return a context that keeps the results of its checks in memory."""
    silence_libraries()
    import great_expectations as gx  # noqa: PLC0415  takes 3 s, which importing a step must not
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415  likewise

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    for site in list(context.list_data_docs_sites()):
        context.delete_data_docs_site(site)
    return context


@contextmanager
def record_checks(folder: Path) -> "Iterator[EphemeralDataContext]":
    """Give a context to check rows with, and write its pages at the end, also where too many rows fail.

    Raises:
        StorageError: The disk is full.
    """
    context = make_context()
    try:
        yield context
    finally:
        with report_full_disk(folder):
            build_docs(context, folder)


def build_docs(context: "EphemeralDataContext", folder: Path) -> Path:
    """Write the pages on every check of a context, and return the first page.

    Args:
        context: From :func:`make_context`, after its checks.
        folder: An existing one is replaced.
    """
    tables = list_checked_tables(context)
    pages = {f"validations/{table.name}/{_INDEX}": _render_table(table) for table in tables}
    digest = hashlib.sha256("".join(pages.values()).encode()).hexdigest()
    time_file = f"{TIMES}/{digest[:16]}.css"
    pages[_INDEX] = _render("checks_index", "CoTPD: checks", tables=tables, time_file=f"../{time_file}")

    shutil.rmtree(folder, ignore_errors=True)
    for name, page in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(page, "utf-8")
    if tables:
        _record_time(max(table.when for table in tables), folder.parent / time_file)
    return folder / _INDEX


def _record_time(when: datetime, path: Path) -> None:
    """Write the time of a run as the style of the words in which the first page says it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as partial:
        partial.write_text(f'#when::after {{ content: "on {when:%Y-%m-%d at %H:%M:%S} UTC"; }}\n', "utf-8")


def _render_table(table: CheckedTable) -> str:
    return _render("checked_table", f"CoTPD: checks of {table.name}", table=table)


def _render(template: str, title: str, **values: object) -> str:
    """Return a page, in which everything that is put in is text."""
    environment = Environment(
        loader=PackageLoader("cotpd.expectations", "."),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else Markup(escape_html(str(value))),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(f"{template}.html.j2").render(
        title=title, version=version("great-expectations"), **values
    )
    return page.encode("utf-8", "replace").decode()  # half of a surrogate pair cannot be written
