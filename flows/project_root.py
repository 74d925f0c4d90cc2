"""The folder of the project whose pipeline the flows run."""

from pathlib import Path


def find_project() -> Path:
    """Return the nearest folder above the working directory with a dvc.yaml, or that of the flows' own checkout.

    A worker changes into the project's folder before it imports a flow. The flows themselves may be installed
    elsewhere.
    """
    current = Path.cwd()
    checkout = Path(__file__).resolve().parent.parent
    candidates = (current, *current.parents)
    return next((folder for folder in candidates if (folder / "dvc.yaml").is_file()), checkout)


ROOT = find_project()
