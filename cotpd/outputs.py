"""The outputs that dvc.yaml declares. DVC and the steps delete them unasked, so no other files may lie there."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import yaml


def read_outputs(root: Path) -> list[Path]:
    """Return the outputs and metrics of every stage, relative to the folder of dvc.yaml; none without the file."""
    try:
        stages = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))["stages"]
        return [
            Path(entry if isinstance(entry, str) else next(iter(entry)))
            for stage in stages.values()
            for entry in (*stage.get("outs", ()), *stage.get("metrics", ()))
        ]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return []  # DVC names what is wrong with its file


class UserPath(NamedTuple):
    """A parameter that names a file or folder of the user's.

    Attributes:
        key: The parameter's key, such as data.path.
        path: Its value, counted from the project's folder.
        is_read_whole: Whether the pipeline reads everything below it.
    """

    key: str
    path: str
    is_read_whole: bool


def find_path_in_outputs(paths: Iterable[UserPath], root: Path) -> tuple[str, str] | None:
    """Find a parameter that puts posts, the ledger or the registry where the pipeline deletes files.

    Returns:
        Its key and the problem; None if there is no such parameter.
    """
    outputs = {output: _resolve(root / output) for output in read_outputs(root)}
    for key, value, is_read_whole in paths:
        path = _resolve(root / value)
        for output, output_path in outputs.items():
            if path.is_relative_to(output_path):
                return key, f"{value} lies within {output}, which the pipeline writes and deletes"
            if is_read_whole and output_path.is_relative_to(path):
                return key, f"{value} contains {output}, which the pipeline writes and deletes"
    return None


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError):  # no valid path; the reader of the data set or the ledger explains it
        return path
