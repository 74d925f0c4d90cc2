"""The outputs that dvc.yaml declares. DVC and the steps delete them unasked, so no other files may lie there."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from cotpd.config import Params

_SQLITE = "sqlite:///"


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


def find_path_in_outputs(params: "Params", root: Path) -> tuple[str, str] | None:
    """Find a parameter that puts posts, the ledger or the registry where the pipeline deletes files.

    Returns:
        Its key and the problem; None if there is no such parameter.
    """
    outputs = {output: _resolve(root / output) for output in read_outputs(root)}
    for key, value, is_read_whole in _iterate_paths(params):
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


def _iterate_paths(params: "Params") -> Iterator[tuple[str, str, bool]]:
    """Yield key and value of each parameter that is a path, and whether the pipeline reads every file below it."""
    if params.data.path:  # no data set is named by default
        yield "data.path", params.data.path, True
        yield "data.pictures", str(Path(params.data.path) / params.data.pictures), True
        for number, source in enumerate(params.data.unlabelled):
            yield f"data.unlabelled.{number}.path", str(Path(params.data.path) / source.path), True
    stores = {"llm.ledger": params.llm.ledger, "register.tracking_uri": params.register_.tracking_uri}
    for key, value in stores.items():
        path = value.removeprefix(_SQLITE)
        if "://" not in path:
            yield key, path, False
