"""params.yaml as typed objects: validated where it enters, unknown keys refused with the nearest known one.

Each section is the configuration of one package, in its params.py; this module gathers them and reads the file.
Nothing below cotpd.pipeline imports it: a package is given its own section.
"""

import difflib
from pathlib import Path
from typing import Any, Self, get_args, get_origin

from pydantic import Field, ValidationError, model_validator

from cotpd.augment.params import AugmentParams
from cotpd.data.params import DataParams
from cotpd.data.records import TaskName
from cotpd.errors import ConfigError
from cotpd.evaluation.params import EvaluateParams
from cotpd.expectations.params import ValidateParams
from cotpd.images.params import CaptionParams
from cotpd.knowledge.params import AskParams
from cotpd.llm.params import LlmParams
from cotpd.outputs import find_path_in_outputs
from cotpd.registry.params import RegisterParams
from cotpd.section import Section
from cotpd.student.params import BaselineParams, DistilParams, StudentParams, TeachParams, TrainParams
from cotpd.yaml_files import KeyPath, read_yaml

SHOWN = 200  # characters of a value that is refused
_SECRET_KEYS = {"api_key_env", "headers_env"}  # where a key may have been pasted instead of its variable's name


class Params(Section):
    """All of params.yaml."""

    task: TaskName = "ner"
    """ner: named entities; re: the relation of a given pair."""
    seed: int = 13
    """Seeds everything that is drawn."""
    data: DataParams = DataParams()
    """The posts."""
    caption: CaptionParams = CaptionParams()
    """How pictures become words."""
    llm: LlmParams = LlmParams()
    """The language model, what may be spent, and the ledger of its answers."""
    ask: AskParams = AskParams()
    """Which knowledge is asked for."""
    validate_: ValidateParams = Field(default=ValidateParams(), alias="validate")
    """The checks of what a captioner or a language model wrote."""
    augment: AugmentParams = AugmentParams()
    """Further training posts; valid and test are never augmented."""
    student: StudentParams = StudentParams()
    """The architecture."""
    baseline: BaselineParams = BaselineParams()
    """The training of the same encoder on text alone, beside which every result stands."""
    teach: TeachParams = TeachParams()
    """The training of the frozen teachers of the knowledge view (distil.way: frozen)."""
    train: TrainParams = TrainParams()
    """The training of the student."""
    distil: DistilParams = DistilParams()
    """How the student learns from the knowledge view."""
    evaluate: EvaluateParams = EvaluateParams()
    """What is scored."""
    register_: RegisterParams = Field(default=RegisterParams(), alias="register")
    """Where models and runs are kept."""

    @model_validator(mode="after")
    def _one_encoder(self) -> Self:
        if self.distil.start == "teacher" and self.teach.encoder not in (None, self.student.encoder):
            raise ValueError(
                "distil.start teacher needs teachers of the student's encoder: set teach.encoder to null"
            )
        return self

    @property
    def registered_name(self) -> str:
        """The registered model's name."""
        return self.register_.name or f"cotpd-{self.task}"


def load_params(path: Path | str = "params.yaml") -> Params:
    """Read and check a parameter file.

    Raises:
        ConfigError: It is missing, is not YAML, or holds a key or value that is not understood; the message
            names the file, the line and the key, and the key that was probably meant. Or it puts the user's files
            where the pipeline deletes its own.
    """
    path = Path(path)
    value, lines = read_yaml(path)
    values = {} if value is None else value
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds {type(values).__name__}, not sections", "See params.yaml's comments.")
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        raise _explain(path, error, lines) from None
    if misplaced := find_path_in_outputs(params, path.parent):
        key, problem = misplaced
        line = lines.get(tuple(key.split(".")), 0)
        raise ConfigError(f"{path}:{line}: {key}: {problem}", "Move it to a folder of its own, and name that.")
    return params


def _explain(path: Path, error: ValidationError, lines: dict[KeyPath, int]) -> ConfigError:
    problems = []
    for one in error.errors():
        keys = tuple(str(part) for part in one["loc"])
        line = next((lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in lines), 0)
        where = f"{path}:{line}: {'.'.join(keys)}"
        if one["type"] == "extra_forbidden":
            near = difflib.get_close_matches(keys[-1], _known(keys[:-1]), 1)
            problems.append(
                f"{where}: there is no such parameter" + (f"; did you mean {near[0]}?" if near else "")
            )
        else:
            problems.append(
                f"{where}: {one['msg']}"
                + f" (found {repr(one['input'])[:SHOWN]})" * (not _SECRET_KEYS & set(keys))
            )
    return ConfigError("\n".join(problems), "Every parameter is explained in params.yaml.")


def _known(keys: tuple[str, ...]) -> list[str]:
    section: Any = Params
    for key in keys:
        if not key.isdigit():  # which item of a list it is makes no difference
            fields = {field.alias or name: field for name, field in section.model_fields.items()}
            section = fields[key].annotation
            section = get_args(section)[0] if get_origin(section) is tuple else section
    return [field.alias or name for name, field in section.model_fields.items()]
