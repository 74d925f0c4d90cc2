"""The parameters of the flows: their types and choices make the form in Prefect's UI."""

from typing import Annotated, Literal

import yaml
from pydantic import Field, JsonValue

from cotpd.cli.preset import FOLDER
from flows.project_root import ROOT


def list_stages() -> list[str]:
    """Return the stages of the project's dvc.yaml; none if it cannot be read, which the run says better."""
    try:
        stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return []
    return list(stages) if isinstance(stages, dict) else []


def offer(choices: list[str]) -> dict[str, JsonValue]:
    """Return the part of a JSON schema that makes a field a choice among names."""
    return {"enum": [*choices]} if choices else {}


PRESETS = sorted(path.stem for path in FOLDER.glob("*.yaml"))

StageName = Annotated[str, Field(json_schema_extra=offer(list_stages()))]
PresetName = Annotated[str, Field(json_schema_extra=offer(["", *PRESETS]))]
Engine = Literal["", "local", "ray"]  # null would show a choice of types in the form
Overrides = dict[str, JsonValue]
Jobs = Annotated[int, Field(ge=1, le=64)]
Hours = Annotated[float, Field(gt=0)]
