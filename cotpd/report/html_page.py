"""One self-contained page: a template, its styles and scripts, and data that a script reads.

Trade-off: plots and filters are some 450 lines of our own JavaScript instead of a library of plots. Plotly is 1 MB
at its smallest. Vega compiles its expressions at run time, which the page's policy forbids. Libraries that draw on
a canvas give nothing to a screen reader, a printer or a test. Three kinds of plots do not need more.

Nothing is loaded from outside: the page's own policy (Content-Security-Policy) allows only the scripts and styles
that it holds, by their hashes, so that markup that slipped through could neither run nor call home. Untrusted text
stands in the page in two ways alone: escaped by the template, or as JSON of :func:`cotpd.escaping.embed_json`,
which the scripts put in as text.
"""

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cotpd.escaping import embed_json, make_printable
from cotpd.files import write_atomically

_ASSETS = Path(__file__).parent / "assets"
STYLE = "page.css"


def render_page(template: str, scripts: Sequence[str], data: Mapping[str, Any], **context: Any) -> str:
    """Return a page as HTML.

    Args:
        template: A file of the folder templates.
        scripts: Files of the folder assets, run in this order.
        data: What the scripts read, as JSON.
        context: What the template reads.

    Raises:
        TypeError: The data is not JSON.
    """
    style = _read_asset(STYLE)
    script = "".join(map(_read_asset, scripts))
    return (
        _make_environment()
        .get_template(template)
        .render(
            policy=_build_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            data=Markup(embed_json(data)),
            **context,
        )
    )


def write_page(page: str, path: Path) -> None:
    """Write a page, whole or not at all.

    Raises:
        StorageError: The disk is full.
    """
    with write_atomically(path) as partial:
        partial.write_bytes(page.encode("utf-8", "replace"))  # half of a surrogate pair cannot be written


def _make_environment() -> Environment:
    """Return Jinja that escapes everything that is put in; an unknown name is an error."""
    return Environment(
        loader=PackageLoader("cotpd.report", "templates"),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else make_printable(value),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _read_asset(name: str) -> str:
    return (_ASSETS / name).read_text("utf-8")


def _build_policy(style: str, script: str) -> str:
    """Return the page's Content-Security-Policy: its own style and script, pictures in it, and nothing else."""
    return (
        f"default-src 'none'; script-src '{_hash_source(script)}'; style-src '{_hash_source(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash_source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256-" + b64encode(digest).decode("ascii")
