"""params.yaml as typed objects: validated where it enters, unknown keys refused with the nearest known one.

Each section is the configuration of one package, in its params.py; this module gathers them and reads the file.
Nothing below cotpd.pipeline imports it: a package is given its own section.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from cotpd.augment.params import AugmentParams
from cotpd.data.params import DataParams
from cotpd.data.records import Kind
from cotpd.engine.params import ScaleParams
from cotpd.errors import ConfigError
from cotpd.evaluation.params import EvaluateParams
from cotpd.expectations.params import ValidateParams
from cotpd.extraction.params import LlmRowParams
from cotpd.images.params import CaptionParams
from cotpd.knowledge.params import AskParams
from cotpd.llm.params import LlmParams
from cotpd.llm.prompt_folder import find_extraction_prompt
from cotpd.outputs import UserPath, find_path_in_outputs
from cotpd.parameter_file import read_parameters
from cotpd.registry.params import RegisterParams
from cotpd.section import Section
from cotpd.student.params import (
    BaselineParams,
    ControlParams,
    DistilParams,
    StudentParams,
    TeachParams,
    TrainParams,
)
from cotpd.student.tasks import KnownTask, find_task
from cotpd.yaml_files import KeyPath

LEDGER = "COTPD_LEDGER"  # the environment variable that outweighs llm.ledger


class Params(Section):
    """The parameters of the pipeline: every section of params.yaml."""

    task: KnownTask = "ner"
    """ner: named entities; re: the relation of a given pair; sentiment: the label of a post."""
    seed: int = Field(default=13, ge=0)
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
    control: ControlParams = ControlParams()
    """The same teachers, posts and epochs without caption and answers."""
    llm_row: LlmRowParams = LlmRowParams()
    """What the language model alone scores on the held-out posts."""
    evaluate: EvaluateParams = EvaluateParams()
    """What is scored."""
    register_: RegisterParams = Field(default=RegisterParams(), alias="register")
    """Where models and runs are kept."""
    scale: ScaleParams = ScaleParams()
    """Where work is computed, and how much of it at once; no result depends on it."""

    @model_validator(mode="after")
    def _check_teachers_seed(self) -> Self:
        if self.teach.seed < 0:  # as numpy does, deep inside a training
            raise ValueError(f"teach.seed: {self.teach.seed} is negative: name 0 or more")
        return self

    @model_validator(mode="after")
    def _check_encoder(self) -> Self:
        if self.distil.start == "teacher" and self.teach.encoder not in (None, self.student.encoder):
            raise ValueError(
                "distil.start teacher needs teachers of the student's encoder: set teach.encoder to null"
            )
        return self

    @model_validator(mode="after")
    def _check_draws(self) -> Self:
        if self.ask.answers > 1 and self.llm.seed is None and self.llm.temperature is None:
            raise ValueError(
                f"ask.answers: {self.ask.answers} answers to one question need llm.seed or llm.temperature:"
                " without both, each is the same request"
            )
        return self

    @model_validator(mode="after")
    def _check_swaps(self) -> Self:
        if Kind.ENTITY in self.augment.kinds and not find_task(self.task).labels_mentions:
            raise ValueError(
                f"augment.kinds: entity swaps a labelled mention for another, and task {self.task} labels none:"
                " take entity out; style and image keep a post's label"
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
            where the pipeline deletes its own, or there is no prompt for the labels that llm_row scores.
    """
    path = Path(path)
    params, lines = read_parameters(path, Params)
    params = _apply_environment(params)
    misplaced = find_path_in_outputs(_iterate_paths(params), path.parent)
    if misplaced is not None:
        key, problem = misplaced
        line = lines.get(tuple(key.split(".")), 0)
        place = LEDGER if key == "llm.ledger" and os.environ.get(LEDGER) else f"{path}:{line}: {key}"
        raise ConfigError(f"{place}: {problem}", "Move it to a folder of its own, and name that.")
    _require_extraction_prompt(params, path, lines)
    return params


def _require_extraction_prompt(params: Params, path: Path, lines: Mapping[KeyPath, int]) -> None:
    """Fail if rows of the language model lack their prompt: its step may come after hours of training."""
    if not params.llm_row.list_rows():
        return
    try:
        find_extraction_prompt(params.llm_row.prompts, params.task, path.parent)
    except ConfigError as error:
        line = lines.get(("llm_row", "prompts")) or lines.get(("llm_row", "enabled"), 0)
        raise ConfigError(f"{path}:{line}: llm_row: {error.problem}", error.remedy) from None


def _apply_environment(params: Params) -> Params:
    """Return the parameters with the ledger of COTPD_LEDGER: a team's address is that of a place, not of a run."""
    address = os.environ.get(LEDGER)
    if not address:
        return params
    return params.model_copy(update={"llm": params.llm.model_copy(update={"ledger": address})})


def _iterate_paths(params: Params) -> Iterator[UserPath]:
    """Yield each parameter that names a file or folder on this machine."""
    if params.data.path:  # no data set is named by default
        yield UserPath("data.path", params.data.path, True)
        yield UserPath("data.pictures", str(Path(params.data.path) / params.data.pictures), True)
        if params.data.has_corrections():
            yield UserPath("data.corrections", str(Path(params.data.path) / params.data.corrections), True)
        for number, source in enumerate(params.data.unlabelled):
            path = str(Path(params.data.path) / source.path)
            yield UserPath(f"data.unlabelled.{number}.path", path, True)

    stores = {"llm.ledger": params.llm.ledger, "register.tracking_uri": params.register_.tracking_uri}
    for key, value in stores.items():
        path = value.removeprefix("sqlite:///")
        if "://" not in path:
            yield UserPath(key, path, False)
