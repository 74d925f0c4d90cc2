"""A comparison as one self-contained page: no scripts, no address outside it, for a phone and in the dark, too."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from cotpd.escaping import make_printable
from cotpd.files import write_atomically
from cotpd.monitoring.drift_measures import LEVEL, WATCH, WORRY
from cotpd.monitoring.drift_verdict import Verdict


def write_page(verdict: Verdict, title: str, path: Path) -> None:
    """Write the page, whole or not at all.

    Args:
        verdict: The comparison.
        title: The window's name.
        path: The file.

    Raises:
        StorageError: The disk is full.
    """
    environment = Environment(
        loader=PackageLoader("cotpd.monitoring", "."),
        autoescape=True,
        finalize=make_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("drift.html.j2")
    page = template.render(verdict=verdict, title=title, watch=WATCH, worry=WORRY, level=LEVEL)
    with write_atomically(path) as partial:
        partial.write_text(page, "utf-8")
