"""Files of CoTPD's repository that come with the package: the graph, the deployments, the rules of the gate.

Trade-off: the wheel's build copies them from where the repository itself uses them, so that there is one source of
each; a checkout and an editable installation, which no build has copied for, read the repository's own.
"""

from pathlib import Path

CODE = Path(__file__).resolve().parent.parent
"""The folder that holds the packages cotpd, steps and flows: a checkout, or site-packages."""


def find_shipped(name: str) -> Path:
    """Return where a file of the repository lies, by its path from the repository's top."""
    in_wheel = CODE / "cotpd" / "shipped" / name
    return in_wheel if in_wheel.exists() else CODE / name


def read_shipped(name: str) -> str:
    """Return the text of a file of the repository."""
    return find_shipped(name).read_text("utf-8")
