"""Registered versions in a terminal: a table where it fits, a few lines for each version where it does not."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from rich.table import Column, Table

from cotpd.cli.output import measure_table
from cotpd.escaping import SafeConsole
from cotpd.registry.versions import Version

_SCORES = ("f1.", "accuracy.", "gain.")
"""Beginnings of the tags that are scores, in percent."""


def print_versions(console: SafeConsole, name: str, versions: Sequence[Version]) -> None:
    """Print the versions of a registered model, the oldest first.

    A table that is wider than the terminal wraps its figures, which cannot be read then: each version has lines of
    its own instead.
    """
    rows = [describe_version(version) for version in versions]
    headings = list(dict.fromkeys(chain.from_iterable(rows)))
    table = Table(*(Column(heading, no_wrap=True) for heading in headings), title=name, title_justify="left")
    for row in rows:
        table.add_row(*(row.get(heading, "") for heading in headings))
    if measure_table(console, table) <= console.width:
        console.print(table)
        return

    console.print(name)
    for row in rows:
        for number, (heading, value) in enumerate(row.items()):
            indent = "  " if number else ""
            console.print(f"{indent}{heading} {value}", soft_wrap=True)


def describe_version(version: Version) -> dict[str, str]:
    """Return what a listing shows of a version, by heading; what is not known has no entry."""
    tags = version.tags
    mark = "+" if tags.get("git.dirty") == "true" else ""  # made of files that no commit holds
    scores = {tag: value for tag, value in sorted(tags.items()) if tag.startswith(_SCORES)}
    described = {
        "version": str(version.number),
        "aliases": ", ".join(version.aliases),
        "data": tags.get("data.path", ""),
        "posts": tags.get("posts.train", ""),
        "seed": tags.get("seed", ""),
        "made": f"{version.created:%Y-%m-%d}" if version.created else "",
        **scores,
        "commit": tags["git.commit"][:10] + mark if "git.commit" in tags else "",
    }
    return {heading: value for heading, value in described.items() if value}


def build_json(version: Version) -> dict[str, Any]:
    """Return a version as JSON holds it; scores in percent."""
    return {
        "version": version.number,
        "address": version.address,
        "aliases": list(version.aliases),
        "created": version.created.isoformat() if version.created else None,
        "run_id": version.run_id,
        "tags": version.tags,
    }
