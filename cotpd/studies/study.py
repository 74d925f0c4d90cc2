"""A study as a reviewed YAML file: its question, the cells that answer it, and which of them are compared.

Trade-off: what a cell changes about the data comes from a small closed vocabulary instead of code, so that a study
can be read, compared and cached by its content; a new kind of change is a field here and a function in `changes`.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, field_validator

from cotpd.config import Params
from cotpd.data.records import FEW_SHOT, ZERO_SHOT
from cotpd.errors import ConfigError
from cotpd.parameter_file import describe_problem, place_in_file, propose, read_parameters
from cotpd.section import Section
from cotpd.studies.cell_data import Changes as Changes
from cotpd.studies.overrides import Overrides, build_sections, find_bad_parameters
from cotpd.yaml_files import KeyPath

FOLDER = Path(__file__).parent / "files"  # inside the package, so that a wheel holds it
CACHE_NAME = "cache"  # the folder beside the results of studies
_REMEDY = "docs/studies.md explains every key of a study."


def _check_name(name: str) -> str:
    """Refuse a cell's name with characters that a table, a page or a shell reads as more than a name."""
    if not re.fullmatch(r"[\w +,.:%=/()-]+", name):
        raise ValueError("a name may hold letters, digits, blanks, _ and + , . : % = / ( ) -")
    return name


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
CellName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), AfterValidator(_check_name)
]
Seed = Annotated[int, Field(ge=0, lt=2**63, strict=True)]  # numpy takes no negative one, torch none that is larger


class DataSet(Section):
    """A set of prepared tables."""

    project: str = "."
    """The folder of the project whose pipeline has prepared them, from the one where the study runs."""
    topics: Literal["all", "first", "second"] = "all"
    """The posts of the first or the second half of the pictures, each of which stands for a topic."""
    types: dict[str, str] = Field(default_factory=dict)
    """Entity types, relation labels or labels of posts to rename, so that two data sets share an inventory."""


class Cell(Section):
    """One row of the study's table: a model, what it learnt from, and what it is given at test time."""

    name: CellName
    """Its name in the table."""
    model: Literal["baseline", "teacher", "student", "control", "llm", "llm_zero_shot"] = "student"
    """baseline: fine-tuned on text. teacher: trained and read in the knowledge view. student: distilled. control:
    the same without knowledge. llm, llm_zero_shot: the language model alone, as the extract step asked it."""
    reads: Literal["own", "text", "caption", "knowledge"] = "own"
    """What it is given at test time: what its own view holds, the text, text and caption, or all there is."""
    train_on: str | None = None
    """A data set of data_sets; null takes the first."""
    test_on: str | None = None
    """A data set of data_sets; null takes train_on."""
    params: Overrides = Field(default_factory=dict)
    """Changes of params.yaml by dotted name, such as distil.alpha: 2."""
    data: Changes = Changes()
    """Changes of the data."""

    @property
    def is_llm(self) -> bool:
        """Whether the language model itself is scored, so that nothing is trained."""
        return self.model in (FEW_SHOT, ZERO_SHOT)

    @property
    def reads_answers(self) -> bool:
        """Whether it, or its teachers, learn from answers."""
        return self.model in ("student", "teacher")


class Comparison(Section):
    """Two cells whose difference the study tests."""

    first: Text
    """A cell."""
    second: Text
    """The cell that it is compared with."""
    claim: Text
    """What the difference measures, as the subject of a sentence."""


class Study(Section):
    """A study."""

    question: Text
    """What it answers."""
    split: Literal["valid", "test"] = "test"
    """The split that is scored, by micro F1."""
    seeds: tuple[Seed, ...] = Field(default=(13, 14, 15), min_length=1)
    """Seeds of the students (and of teachers that are cells); teachers that teach keep teach.seed."""
    params: Overrides = Field(default_factory=dict)
    """Changes of params.yaml that hold for all cells."""
    data: Changes = Changes()
    """Changes of the data that hold for all cells."""
    data_sets: dict[str, DataSet] = Field(default_factory=lambda: {"here": DataSet()}, min_length=1)
    """The tables by name, the first of which is the default."""
    cells: tuple[Cell, ...] = Field(min_length=1)
    """The rows of the table."""
    comparisons: tuple[Comparison, ...] = ()
    """The differences that are tested, the most important one first: it answers the question."""

    @field_validator("seeds")
    @classmethod
    def _check_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is given twice, which would count one training as two")
        return seeds

    def get_cell(self, name: str) -> Cell:
        """Return the cell of a name."""
        return next(cell for cell in self.cells if cell.name == name)

    def get_data_set(self, name: str | None) -> str:
        """Return a data set's name; None takes the first."""
        return name or next(iter(self.data_sets))

    def list_changes(self, cell: Cell) -> Changes:
        """Return the changes of a cell's data: its own, and those of the study that it does not set itself."""
        return self.data.model_copy(update={name: getattr(cell.data, name) for name in cell.data.model_fields_set})


class NamedStudy(NamedTuple):
    """A study that was read and checked, and the parameters of each cell by its name."""

    name: str
    study: Study
    params: dict[str, Params]


def list_studies() -> list[Path]:
    """Return the files of the studies that come with the package."""
    return sorted(FOLDER.glob("*.yaml"))


def find_study(name: str) -> Path:
    """Return the file of a study: one that comes with the package, or a path.

    Raises:
        ConfigError: There is no such study; the message names the one that was probably meant.
    """
    shipped = FOLDER / f"{name}.yaml"
    with suppress(OSError):  # such as a name that is too long for a file
        path = shipped if shipped.is_file() else Path(name)
        if path.is_file():
            return path
    names = [path.stem for path in list_studies()]
    raise ConfigError(
        f"there is no study {name!r}{propose(name, names)}",
        f"Known ones: {', '.join(names)}; or name a YAML file.",
    )


def read_study(name: str, base: Params) -> NamedStudy:
    """Read a study and check it as a whole.

    Args:
        name: One that comes with the package, or a path.
        base: The project's parameters, which the study and its cells change.

    Raises:
        ConfigError: There is no such study, a key is unknown, a cell's parameters are not valid, or a cell or
            comparison names what is not there. The message names file, line and key.
    """
    path = find_study(name)
    if path.stem == CACHE_NAME:
        raise ConfigError(f"{path}: a study's folder is named as its file", "Name it other than the cache.")
    try:
        study, lines = read_parameters(path, Study)
    except ConfigError as error:
        raise ConfigError(error.problem, _REMEDY) from None
    problems = [*_check_names(study), *_check_parameters(study)]
    if problems:
        messages = [f"{_place(path, lines, where)}: {'.'.join(where)}: {text}" for where, text in problems]
        raise ConfigError("\n".join(messages), _REMEDY)
    try:
        params = {cell.name: apply_params(base, study, cell) for cell in study.cells}
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.problem}", error.remedy) from None
    return NamedStudy(path.stem, study, params)


def _place(path: Path, lines: dict[KeyPath, int], where: KeyPath) -> str:
    """Return a file with the line of a key; a parameter may stand there by its dotted name, or in its section."""
    nested = (*where[:-1], *where[-1].split("."))
    return place_in_file(path, lines, where if where in lines else nested)


def _check_names(study: Study) -> Iterator[tuple[KeyPath, str]]:
    """Yield where a name is given twice or names nothing, with the reason."""
    names = [cell.name for cell in study.cells]
    for number, cell in enumerate(study.cells):
        if names.index(cell.name) < number:
            yield ("cells", str(number), "name"), f"there are two cells {cell.name!r}"
        for key in ("train_on", "test_on"):
            data_set = getattr(cell, key)
            if data_set is not None and data_set not in study.data_sets:
                where = ("cells", str(number), key)
                yield where, f"there is no data set {data_set!r}{propose(data_set, study.data_sets)}"
    pairs = [{comparison.first, comparison.second} for comparison in study.comparisons]
    for number, comparison in enumerate(study.comparisons):
        yield from _check_comparison(study, number, comparison, names)
        if pairs.index(pairs[number]) < number:
            pair = f"{comparison.first!r} and {comparison.second!r}"
            yield ("comparisons", str(number)), f"{pair} are compared twice, and the correction would count both"


def _check_comparison(
    study: Study, number: int, comparison: Comparison, names: list[str]
) -> Iterator[tuple[KeyPath, str]]:
    where = ("comparisons", str(number))
    unknown = {key: getattr(comparison, key) for key in ("first", "second")}
    unknown = {key: name for key, name in unknown.items() if name not in names}
    for key, name in unknown.items():
        yield (*where, key), f"there is no cell {name!r}{propose(name, names)}"
    if not unknown and get_test_set(study, comparison.first) != get_test_set(study, comparison.second):
        yield where, "the two cells are tested on different data sets, so that no comparison is paired"
    if comparison.first == comparison.second:
        yield where, "a cell is compared with itself"


def get_test_set(study: Study, name: str) -> str:
    """Return the data set that a cell is tested on."""
    cell = study.get_cell(name)
    return study.get_data_set(cell.test_on or cell.train_on)


def _check_parameters(study: Study) -> Iterator[tuple[KeyPath, str]]:
    """Yield where the study or a cell names a parameter that is not valid, with the reason."""
    for key, problem in find_bad_parameters(study.params):
        yield ("params", key), problem
    if not list(find_bad_parameters(study.params)):
        for number, cell in enumerate(study.cells):
            for key, problem in find_bad_parameters(study.params | cell.params):
                yield ("cells", str(number), "params", key), f"cell {cell.name!r}: {problem}"


def apply_params(base: Params, study: Study, cell: Cell) -> Params:
    """Return the parameters of a cell: the project's, changed by the study and then by the cell.

    Raises:
        ConfigError: They do not fit together.
    """
    changed = build_sections(study.params | cell.params, base.model_dump(by_alias=True))
    try:
        return Params.model_validate(changed)
    except ValidationError as error:
        problems = [f"cell {cell.name!r}: {describe_problem(problem, Params)}" for problem in error.errors()]
        remedy = "The cell's parameters do not fit to those of params.yaml: change either."
        raise ConfigError("\n".join(problems), remedy) from None
