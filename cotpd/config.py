"""params.yaml as typed objects: validated where it enters, unknown keys refused with the nearest known one.

Each section is the configuration of one part of the package; a field's description is its documentation.
"""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from cotpd.data.records import AUGMENT_KINDS, KNOWLEDGE_KINDS, Kind
from cotpd.errors import ConfigError
from cotpd.llm_sections import ExtraBody, HeaderVariables, LlmParams
from cotpd.outputs import find_path_in_outputs
from cotpd.sections import DistilParams, Section, StudentParams, TeachParams, TrainParams, VariableName
from cotpd.yaml_files import KeyPath, read_yaml

SHOWN = 200  # characters of a value that is refused


def _among(kinds: tuple[Kind, ...]) -> AfterValidator:
    """Refuses the kinds that belong elsewhere: no step would ask them, or know what to do with their answers."""

    def check(kind: Kind) -> Kind:
        if kind not in kinds:
            raise ValueError(f"{kind} is no kind for this place; it takes {', '.join(kinds)}")
        return kind

    return AfterValidator(check)


_SECRET_KEYS = {"api_key_env", "headers_env"}  # where a key may have been pasted instead of its variable's name
KnowledgeKind = Annotated[Kind, _among(KNOWLEDGE_KINDS)]
AugmentKind = Annotated[Kind, _among(AUGMENT_KINDS)]


class SourceParams(Section):
    """A data set: its files, and what comes with them."""

    path: str
    """Folder (or file) of the data set."""
    format: Literal["auto", "jsonl", "twitter", "snap", "wikidiverse", "mnre"] = "auto"
    """How the files are written; auto looks at their names and first lines."""
    captions: str | None = None
    """Captions that the data set brings along, a file or pattern below path; see docs/your-data.md."""
    answers: str | None = None
    """LLM answers that the data set brings along, a file or folder below path."""
    answers_kind: KnowledgeKind = Kind.SENTENCE
    """The kind of knowledge that those answers are."""
    offsets: Literal["characters", "utf16", "bytes"] = "characters"
    """What start and end count: characters; UTF-16 code units (JavaScript, Java); or UTF-8 bytes."""
    limit: int | None = Field(default=None, ge=1)
    """Use only the first so many posts of each split, for trying things out. Types, labels and the names that
    augment swaps in are still those of all posts, so that a limit changes no question."""


class UnlabelledParams(SourceParams):
    """Posts whose labels, if they have any, are not read; ``path`` is relative to ``data.path``."""


class DataParams(SourceParams):
    """Where the posts are and what comes with them."""

    path: str = "sample"
    """Folder (or file) of the data set."""
    pictures: str = "."
    """A folder of pictures, from path. It alone may be a link to elsewhere (images) or outside (../pictures)."""
    types: tuple[str, ...] | None = None
    """Entity types or relation labels allowed; null takes those found, train's first."""
    unlabelled: tuple[UnlabelledParams, ...] = ()
    """Posts without labels, on which frozen teachers teach the student (distil.way: frozen)."""

    @field_validator("pictures")
    @classmethod
    def _relative(cls, pictures: str) -> str:
        if not pictures or Path(pictures).is_absolute():
            raise ValueError("must be a path relative to data.path; . is that folder itself")
        return pictures


class CaptionParams(Section):
    """How pictures become words."""

    backend: Literal["tags", "transformers", "openai", "dataset", "none"] = "tags"
    """tags: picture tags and the text read in it, offline. dataset: only captions that came with the data."""
    model: str | None = None
    """transformers: a hub name or folder (Salesforce/blip2-opt-2.7b); openai: the vision model's name."""
    base_url: str | None = None
    """openai: the server's address; null takes the one under llm."""
    api_key_env: VariableName | None = None
    """openai: the environment variable that holds its key; null: that of llm, or none at another address."""
    headers_env: HeaderVariables | None = None
    """openai: as llm.headers_env; null: that of llm, or none at another address."""
    extra_body: ExtraBody | None = None
    """openai: as llm.extra_body; null: that of llm, or nothing at another address."""
    max_tokens: int = Field(default=40, ge=1)
    """Longest caption, in the captioner's tokens."""
    batch_size: int = Field(default=4, ge=1)
    """Pictures at a time (transformers)."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""


class AskParams(Section):
    """Which knowledge is asked for."""

    kinds: tuple[KnowledgeKind, ...] = KNOWLEDGE_KINDS
    """Chain-of-thought kinds to ask: noun, sentence, multimodality. An empty list asks nothing."""
    prompts: str = "default"
    """Prompt set: a folder below cotpd/prompts, or a path."""
    max_tokens: int = Field(default=64, ge=1)
    """Longest answer, in the model's tokens."""
    max_failed_share: float = Field(default=0.02, ge=0, le=1)
    """The step fails if more than this share of its requests could not be answered."""


class ValidateParams(Section):
    """What is believed of what an LLM or a captioner wrote."""

    max_failed_share: float = Field(default=0.1, ge=0, le=1)
    """The step fails if more than this share of the rows fail their checks."""
    reask: int = Field(default=0, ge=0)
    """How often an answer that fails its checks is asked for again, each time with another seed."""


class AugmentParams(Section):
    """Further training posts. Valid and test are never touched."""

    kinds: tuple[AugmentKind, ...] = AUGMENT_KINDS
    """style, entity, image. An empty list augments nothing."""
    share: float = Field(default=1.0, ge=0, le=1)
    """The share of training posts for which each kind is tried."""
    max_tokens: int = Field(default=64, ge=1)
    """Longest answer, in the model's tokens."""
    fact_check_max_tokens: int = Field(default=4, ge=1)
    """Longest answer of a fact check (entity), which is yes or no; a reasoning model needs hundreds."""
    prompts: str = "default"
    """Prompt set."""

    def limit_of(self, kind: Kind) -> tuple[int, str]:
        """The longest answer of a kind, and the name of the parameter that says so."""
        if kind is Kind.ENTITY:
            return self.fact_check_max_tokens, "augment.fact_check_max_tokens"
        return self.max_tokens, "augment.max_tokens"


class EvaluateParams(Section):
    """What is scored."""

    splits: tuple[Literal["valid", "test"], ...] = ("valid", "test")
    """Splits to score; one that the data set lacks is left out, and said so."""
    batch_size: int = Field(default=32, ge=1)
    """Posts at a time."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""


class RegisterParams(Section):
    """Where models and runs are kept."""

    tracking_uri: str = "sqlite:///mlflow.db"
    """MLflow's store."""
    experiment: str = "cotpd"
    """MLflow's experiment."""
    name: str | None = None
    """Registered name; null gives cotpd-ner or cotpd-re."""
    alias: str = "challenger"
    """The alias that the new version gets."""


class Params(Section):
    """All of params.yaml."""

    task: Literal["ner", "re"] = "ner"
    """ner: named entities; re: the relation of a given pair."""
    seed: int = 13
    """Seeds everything that is drawn."""
    data: DataParams = DataParams()
    caption: CaptionParams = CaptionParams()
    llm: LlmParams = LlmParams()
    ask: AskParams = AskParams()
    validate_: ValidateParams = Field(default=ValidateParams(), alias="validate")
    augment: AugmentParams = AugmentParams()
    student: StudentParams = StudentParams()
    baseline: TrainParams = TrainParams()
    teach: TeachParams = TeachParams()
    train: TrainParams = TrainParams()
    distil: DistilParams = DistilParams()
    evaluate: EvaluateParams = EvaluateParams()
    register_: RegisterParams = Field(default=RegisterParams(), alias="register")

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
