"""Write Great Expectations' Data Docs: pages on every suite and on the results of each table.

Trade-off: the pages are Great Expectations' own, and load style sheets from public addresses when they are
opened on a machine that has a network. A remote logo that reports each visit is replaced by the local one. Times
and random ids are replaced by fixed ones, so that the same tables give the same pages.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cotpd.environment import silence_libraries
from cotpd.escaping import escape_html
from cotpd.storage import report_full_disk

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.data_context import EphemeralDataContext

RUN, NO_TIME = "validate", datetime(2000, 1, 1, tzinfo=UTC)
_CLOCK = re.compile(r"\b\d{8}T\d{6}\.\d{6}Z")
_RANDOM = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_LOGO = re.compile(r"https://great-expectations-web-assets[^\"')]*")


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
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.resolve())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    context.add_data_docs_site(
        "checks", {"class_name": "SiteBuilder", "store_backend": store, "site_index_builder": index}
    )
    _escape_results(context)
    context.build_data_docs()
    for page in sorted(folder.rglob("*.html")):
        depth = len(page.relative_to(folder).parents) - 1
        page.write_text(_make_reproducible(page.read_text("utf-8"), depth), "utf-8")
    return folder / "index.html"


def _escape_results(context: "EphemeralDataContext") -> None:
    """Escape all values: an answer may be a script, and Great Expectations writes values into its pages as is."""
    store = context.validation_results_store
    for key in store.list_keys():
        validation = cast("ExpectationSuiteValidationResult", store.get(key))  # a listed key has a value
        for result in validation.results:
            result.result = escape_html(result.result)
            result.exception_info = escape_html(result.exception_info)
        store.set(key, validation)


def _make_reproducible(text: str, depth: int) -> str:
    """Return a page without clock, random ids and remote logo; it lies ``depth`` folders below the first page."""
    text = _LOGO.sub(f"{'../' * depth}static/images/logo-long.png", text)
    random_ids = dict.fromkeys(_RANDOM.findall(text))
    names = {random_id: f"id-{number}" for number, random_id in enumerate(random_ids)}
    text = _RANDOM.sub(lambda match: names[match[0]], text)
    return _CLOCK.sub(NO_TIME.strftime("%Y%m%dT%H%M%S.%fZ"), text)
