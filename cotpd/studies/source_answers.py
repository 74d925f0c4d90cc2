"""The answers of other models, prompts and temperatures: read out of the ledger, checked, and asked for on demand.

A study never asks by itself. A cell whose answers the ledger lacks is left out with their number, and
`cotpd study ask` asks for them; the ledger holds them for every further study.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from cotpd.config import Params
from cotpd.data.records import Kind, Knowledge, Post
from cotpd.data.tables import write_table
from cotpd.errors import CotpdError
from cotpd.expectations import validate_answers
from cotpd.images.picture_encoder import build_picture_encoder
from cotpd.knowledge.questions import build_questions
from cotpd.knowledge.recorded_answers import find_answers
from cotpd.knowledge.several_answers import combine_answers
from cotpd.llm.answer_reader import read_answers
from cotpd.llm.ask import ask
from cotpd.llm.outcome import AskingOutcome
from cotpd.llm.question import Question
from cotpd.pipeline.workspace import UNLABELLED, Workspace
from cotpd.studies.cell_data import AnswerSource
from cotpd.studies.study import Cell, NamedStudy, Study


class SourceQuestions(NamedTuple):
    """The questions of a cell's source: the cell, the parameters that they are asked with, and themselves."""

    cell: Cell
    source: AnswerSource
    project: str
    params: Params
    posts: list[Post]
    questions: list[Question]


def list_source_cells(named: NamedStudy) -> list[Cell]:
    """Return the cells that take their answers from elsewhere."""
    return [cell for cell in named.study.cells if named.study.list_changes(cell).source is not None]


def build_source_questions(named: NamedStudy, cell: Cell, root: Path = Path()) -> SourceQuestions:
    """Return the questions of a cell that takes its answers from elsewhere.

    Raises:
        ConfigError: A prompt set cannot be used.
        DataError: The cell's data set was not prepared.
    """
    changes = named.study.list_changes(cell)
    source = changes.source or AnswerSource()
    data_set = named.study.data_sets[named.study.get_data_set(cell.train_on)]
    workspace = Workspace(root / data_set.project)
    params = source.adapt(named.params[cell.name])
    kinds = tuple(Kind(kind) for kind in changes.kinds)
    params = params.model_copy(update={"ask": params.ask.model_copy(update={"kinds": kinds})})
    posts = _read_posts(workspace, named.study, cell)
    captions = {row.id: row.caption for row in workspace.read_unchecked_captions()}
    encode_picture = build_picture_encoder(params.data, params.llm)
    questions = list(build_questions(posts, captions, params.ask, encode_picture))
    return SourceQuestions(cell, source, data_set.project, params, posts, questions)


def prepare_answers(named: NamedStudy, root: Path = Path()) -> dict[str, str]:
    """Write what the ledger holds of each source, checked; return why a cell cannot run, by its name.

    A source that cannot be used, such as a prompt set that is not there, leaves out its own cell alone.
    """
    problems: dict[str, str] = {}
    tables: dict[Path, dict[tuple[str, Kind], Knowledge]] = {}
    for cell in list_source_cells(named):
        try:
            source = build_source_questions(named, cell, root)
            knowledge, problem = _read_source(named.name, source)
        except CotpdError as error:
            problems[cell.name] = ": ".join(filter(None, (error.problem, error.remedy)))
            continue
        # cells of one source share a table, and one may read other kinds or splits: it must lose nothing to them
        table = tables.setdefault(source.source.locate(root, source.project), {})
        table |= {(row.id, row.kind): row for row in knowledge}
        problems |= {cell.name: problem} if problem else {}
    for folder, table in tables.items():
        write_table(folder / "knowledge.jsonl", table.values())
    return problems


def _read_source(study: str, source: SourceQuestions) -> tuple[list[Knowledge], str]:
    """Return the knowledge that the ledger holds of a source; and why its cell cannot run, "" if it can."""
    outcome, missing = find_answers(source.questions, source.params.llm)
    answers = list(read_answers(outcome, source.params.llm))
    lenient = source.params.validate_.model_copy(update={"max_failed_share": 1.0})
    passed, _ = validate_answers(answers, source.posts, lenient)
    knowledge = combine_answers(passed, source.params.ask.combine)
    return knowledge, _find_problem(study, source, len(missing), knowledge)


def ask_sources(named: NamedStudy, root: Path = Path()) -> Iterator[tuple[str, AskingOutcome | CotpdError]]:
    """Ask for what the ledger lacks, and yield each cell's name with the outcome.

    A source that cannot be asked, such as a model whose server is not there, yields its error, and the next is
    asked. Answers up to then are in the ledger.
    """
    for cell in list_source_cells(named):
        try:
            source = build_source_questions(named, cell, root)
            yield cell.name, ask(source.questions, source.params.llm)
        except CotpdError as error:
            yield cell.name, error


def _find_problem(study: str, source: SourceQuestions, missing: int, knowledge: list[Knowledge]) -> str:
    total = len(source.questions)
    if missing:
        remedy = f"`cotpd study plan {study}` says what they cost, `cotpd study ask {study}` asks for them"
        return f"{missing:,} of {total:,} answers ({source.source.describe()}) are not in the ledger: {remedy}"
    if not knowledge:
        return f"none of the {total:,} answers ({source.source.describe()}) passes its checks"
    return ""


def _read_posts(workspace: Workspace, study: Study, cell: Cell) -> list[Post]:
    """Return the posts whose answers a cell reads, without those that the data set brought along."""
    reads_at_test = cell.model == "teacher" or cell.reads in ("caption", "knowledge")
    splits = ["train", "valid", UNLABELLED, *([study.split] if reads_at_test else [])]
    posts = chain.from_iterable(map(workspace.read_posts, dict.fromkeys(splits)))
    return [post.model_copy(update={"knowledge": {}}) for post in posts]
