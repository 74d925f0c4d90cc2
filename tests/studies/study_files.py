"""Study files of tests."""

from pathlib import Path

import yaml


def write_study_file(folder: Path, name: str = "mine", **values: object) -> str:
    """Write a study's file with a question and one seed, and return its name for the commands."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"question": "What?", "seeds": [1]} | values, sort_keys=False), "utf-8")
    return str(path)
