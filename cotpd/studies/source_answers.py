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
from cotpd.llm.answer_reader import read_answers
from cotpd.llm.ask import ask
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import import_configured
from cotpd.llm.outcome import AskedQuestion, AskingOutcome
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question
from cotpd.llm.spending.budget import Budget
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


def iterate_sources(named: NamedStudy, root: Path = Path()) -> Iterator[SourceQuestions]:
    """Yield the questions of each cell that takes its answers from elsewhere.

    Raises:
        ConfigError: A prompt set cannot be used.
    """
    for cell in named.study.cells:
        changes = named.study.list_changes(cell)
        if changes.source is None:
            continue
        data_set = named.study.data_sets[named.study.get_data_set(cell.train_on)]
        workspace = Workspace(root / data_set.project)
        params = changes.source.adapt(named.params[cell.name])
        kinds = tuple(Kind(kind) for kind in changes.kinds)
        params = params.model_copy(update={"ask": params.ask.model_copy(update={"kinds": kinds})})
        posts = _read_posts(workspace, named.study, cell)
        captions = {row.id: row.caption for row in workspace.read_unchecked_captions()}
        encode_picture = build_picture_encoder(params.data, params.llm)
        questions = list(build_questions(posts, captions, params.ask, encode_picture))
        yield SourceQuestions(cell, changes.source, data_set.project, params, posts, questions)


def prepare_answers(named: NamedStudy, root: Path = Path()) -> dict[str, str]:
    """Write what the ledger holds of each source, checked; return why a cell cannot run, by its name."""
    problems: dict[str, str] = {}
    for source in _iterate_readable(named, root, problems):
        llm = source.params.llm
        outcome, missing = find_answers(source.questions, llm)
        answers = list(read_answers(outcome, llm))
        lenient = source.params.validate_.model_copy(update={"max_failed_share": 1.0})
        knowledge, _ = validate_answers(answers, source.posts, lenient)
        write_table(source.source.locate(root, source.project) / "knowledge.jsonl", knowledge)
        if problem := _find_problem(named.name, source, missing, knowledge):
            problems[source.cell.name] = problem
    return problems


def find_answers(questions: list[Question], llm: LlmParams) -> tuple[AskingOutcome, int]:
    """Return the questions that the ledger answers, and the number of the others. Nothing is asked."""
    outcome = AskingOutcome(Budget.from_params(llm.model_copy(update={"max_cost": None, "max_tokens": None})))
    requests = [question.build_request(llm) for question in questions]
    with Ledger(llm.ledger) as ledger:
        import_configured(ledger, llm)
        keys = ledger.find_answer_keys({request.key: request for request in requests})
    for question, request in zip(questions, requests, strict=True):
        if request.key in keys:
            answered = AskedQuestion(
                question.id, question.kind, keys[request.key], question.schema, question.limit
            )
            outcome.questions.append(answered)
    return outcome, len(questions) - len(outcome.questions)


def ask_sources(named: NamedStudy, root: Path = Path()) -> Iterator[tuple[str, AskingOutcome]]:
    """Ask for what the ledger lacks, source by source, and yield each cell's name with the outcome.

    Raises:
        LlmError: A model cannot be asked; answers up to then are in the ledger.
        ConfigError: A limit in dollars is set and a model's price is not known.
    """
    for source in iterate_sources(named, root):
        yield source.cell.name, ask(source.questions, source.params.llm)


def _iterate_readable(named: NamedStudy, root: Path, problems: dict[str, str]) -> Iterator[SourceQuestions]:
    """Yield the sources; one whose questions cannot be built ends the others too, and each cell says why."""
    try:
        yield from iterate_sources(named, root)
    except CotpdError as error:
        cells = [cell.name for cell in named.study.cells if named.study.list_changes(cell).source is not None]
        problems |= dict.fromkeys((name for name in cells if name not in problems), error.problem)


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
