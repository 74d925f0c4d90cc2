"""Running a study: which cells can run, the jobs to do, and the result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from cotpd.config import Params
from cotpd.errors import ConfigError, DataError
from cotpd.evaluation.predictions import read_predictions
from cotpd.parameter_file import describe_problem, propose
from cotpd.student.tasks import Prediction
from cotpd.studies.answer_agreement import Agreement, compare_sources
from cotpd.studies.children import Runner
from cotpd.studies.differences import require_same_examples
from cotpd.studies.exchange import compute_exchanges
from cotpd.studies.html_report import write_study_page
from cotpd.studies.inputs import Sources
from cotpd.studies.jobs import Job
from cotpd.studies.learnt_from import LearntFrom, count_inputs, describe_input
from cotpd.studies.picture import draw_study
from cotpd.studies.planner import Planner
from cotpd.studies.report_page import write_page
from cotpd.studies.requirements import find_missing
from cotpd.studies.results_cache import ResultsCache, select_missing
from cotpd.studies.study import Cell, NamedStudy, Study
from cotpd.studies.study_diagnoses import diagnose_study
from cotpd.studies.verdict import CellResult, StudyResult, judge, score_cell, write_result

FOLDER = Path("studies")  # of results, in the project; git ignores it
PICTURE, PAGE, HTML_PAGE, RESULT = "picture.png", "study.md", "study.html", "result.json"


@dataclass
class Schedule:
    """A study with all its jobs.

    Attributes:
        named: The study.
        jobs: Every job by key, each after its needs.
        goals: The key of the job that predicts, by cell and seed.
        left_out: Why a cell cannot run, by its name.
        missing: The jobs whose output is not there yet.
        learnt_from: What each cell learns from, by its name.
        agreements: How far answers of compared cells agree, where their sources differ.
    """

    named: NamedStudy
    jobs: Mapping[str, Job] = field(default_factory=dict)
    goals: dict[str, dict[int, str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    missing: dict[str, Job] = field(default_factory=dict)
    learnt_from: dict[str, LearntFrom] = field(default_factory=dict)
    agreements: list[Agreement] = field(default_factory=list)


def select_part(
    named: NamedStudy, *, seeds: Sequence[int] = (), cells: Sequence[str] = (), split: str | None = None
) -> NamedStudy:
    """Return a smaller set of a study's cells and seeds, or the same on another split.

    Raises:
        ConfigError: It has no such cell, or there is no such split, or a seed cannot be one.
    """
    values = named.study.model_dump(exclude_unset=True)
    names = [cell.name for cell in named.study.cells]
    for name in cells:
        if name not in names:
            raise ConfigError(
                f"there is no cell {name!r}{propose(name, names)}", f"Its cells: {'; '.join(names)}."
            )
    if split not in (None, "valid", "test"):
        problem = f"there is no split {split!r} to score{propose(str(split), ('valid', 'test'))}"
        raise ConfigError(problem, "Name valid or test.")
    values |= {"seeds": tuple(dict.fromkeys(seeds))} if seeds else {}
    values |= {"split": split} if split else {}
    if cells:
        values["cells"] = [cell.model_dump(exclude_unset=True) for cell in named.study.cells if cell.name in cells]
    try:
        return named._replace(study=Study.model_validate(values))
    except ValidationError as error:
        problem = describe_problem(error.errors()[0], Study)
        raise ConfigError(f"seeds: {problem}", "Name whole numbers from 0 on.") from None


def make_schedule(named: NamedStudy, cache: ResultsCache, root: Path = Path()) -> Schedule:
    """Plan every cell that can run.

    Raises:
        DataError: No cell can run, or a data set was not prepared.
    """
    sources = Sources(next(iter(named.params.values())).task, root)
    planner, schedule = Planner(named, sources), Schedule(named)
    problems = _prepare_sources(named, root)
    for cell in named.study.cells:
        problem = problems.get(cell.name) or find_missing(named.study, cell, named.params[cell.name], sources)
        if problem:
            schedule.left_out[cell.name] = problem
            continue
        schedule.learnt_from[cell.name] = count_inputs(named.study, cell, named.params[cell.name], sources)
        schedule.goals[cell.name] = {seed: planner.plan_cell(cell, seed) for seed in named.study.seeds}
    if not schedule.goals:
        reasons = dict.fromkeys(schedule.left_out.values())
        raise DataError(f"no cell of {named.name} can run: {'; '.join(reasons)}", "Prepare what is missing.")
    schedule.agreements = list(compare_sources(named, sources))
    schedule.jobs = planner.jobs
    goals = chain.from_iterable(keys.values() for keys in schedule.goals.values())
    schedule.missing = select_missing(planner.jobs, goals, cache)
    return schedule


def _prepare_sources(named: NamedStudy, root: Path) -> dict[str, str]:
    """Read the answers of cells that take them from elsewhere; return why such a cell cannot run, by its name."""
    if all(named.study.list_changes(cell).source is None for cell in named.study.cells):
        return {}
    from cotpd.studies.source_answers import prepare_answers  # noqa: PLC0415  needs the extra llm, unlike others

    return prepare_answers(named, root)


def run_study(
    schedule: Schedule,
    cache: ResultsCache,
    folder: Path,
    *,
    root: Path = Path(),
    slots: int = 1,
    say: Callable[[str], None],
    keeps_models: bool = False,
    answer_price: float | None = None,
) -> StudyResult:
    """Do what is missing, and write the result: JSON, a page in HTML and in Markdown, and a picture.

    Args:
        schedule: The study.
        cache: Holds the outputs of its jobs.
        folder: Where the result is written.
        root: The folder in which the study runs.
        slots: Trainings at once.
        say: Is told of each job that ends.
        keeps_models: Whether the models of students and baselines stay.
        answer_price: Dollars that an answer costs, if it is known.

    Raises:
        ConfigError: Another study is running here.
        DataError: The tables were changed while it ran.
    """
    cache.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(cache.folder / ".lock", timeout=0)
    try:
        with lock:
            runner = Runner(schedule.missing, cache, root=root, slots=slots, say=say, keeps_models=keeps_models)
            runner.run()
    except Timeout:
        raise ConfigError("another study is running in this folder", "Wait for it, or end it.") from None
    result = build_result(schedule, cache, runner.failures, answer_price)
    write_result(result, folder / RESULT)
    write_page(result, folder / PAGE, PICTURE)
    write_study_page(result, folder / HTML_PAGE)
    draw_study(result, folder / PICTURE)
    return result


def build_result(
    schedule: Schedule, cache: ResultsCache, failures: Mapping[str, str], answer_price: float | None = None
) -> StudyResult:
    """Return the result of all cells whose predictions are there.

    Raises:
        DataError: Two cells were tested on different examples.
    """
    named, study = schedule.named, schedule.named.study
    tables = _read_tables(schedule, cache, failures)
    cells = [_build_row(schedule, cell, tables[cell.name], failures, cache) for cell in study.cells]
    params = next(iter(named.params.values()))
    result = StudyResult(
        study=named.name,
        question=study.question,
        task=params.task,
        split=study.split,
        seeds=study.seeds,
        params=study.params,
        encoder=params.student.encoder,
        answer_price=answer_price,
        seconds=cache.sum_seconds(schedule.jobs, schedule.jobs.keys() - failures.keys()),
        cells=tuple(cells),
        verdicts=tuple(judge(study, cells, tables, seed=params.seed, answer_price=answer_price)),
        exchanges=tuple(compute_exchanges(study, cells, answer_price)),
        agreements=tuple(schedule.agreements),
    )
    return _add_diagnoses(study, result, params)


def _add_diagnoses(study: Study, result: StudyResult, params: Params) -> StudyResult:
    """Return a result with what its differences say is wrong."""
    diagnoses = diagnose_study(study, result, params.student.prompt_length)
    return result.model_copy(update={"diagnoses": tuple(diagnoses)})


def _read_tables(
    schedule: Schedule, cache: ResultsCache, failures: Mapping[str, str]
) -> dict[str, dict[int, list[Prediction]]]:
    """Return the predictions of each cell by seed; cells of the same predictions share one table in memory."""
    shared: dict[tuple[str, ...], dict[int, list[Prediction]]] = {(): {}}
    tables = {}
    for cell in schedule.named.study.cells:
        keys = _list_finished(schedule, cell, failures)
        content = tuple(keys.values())
        if content not in shared:
            shared[content] = {seed: _read_predictions(cache, key) for seed, key in keys.items()}
        tables[cell.name] = shared[content]
    return tables


def _find_problem(schedule: Schedule, cell: Cell, failures: Mapping[str, str]) -> str:
    """Return why a cell, or the first of its seeds that failed, has no figures; "" if all have."""
    if cell.name in schedule.left_out:
        return f"left out: {schedule.left_out[cell.name]}"
    reasons = [failures[key] for key in schedule.goals[cell.name].values() if key in failures]
    return f"failed: {reasons[0]}" if reasons else ""


def _read_predictions(cache: ResultsCache, key: str) -> list[Prediction]:
    return read_predictions(cache.locate_output(key, "predict"))


def _build_row(
    schedule: Schedule,
    cell: Cell,
    table: Mapping[int, Sequence[Prediction]],
    failures: Mapping[str, str],
    cache: ResultsCache,
) -> CellResult:
    if table:
        require_same_examples(list(table.values()))
    return CellResult(
        name=cell.name,
        model=cell.model,
        sees=describe_input(schedule.named.study, cell),
        **schedule.learnt_from.get(cell.name, LearntFrom(0, 0, 0))._asdict(),
        posts=len({row.post_id for row in chain.from_iterable(table.values())}),
        f1=score_cell(table),
        problem=_find_problem(schedule, cell, failures),
        seconds=cache.sum_seconds(schedule.jobs, _list_finished(schedule, cell, failures).values()),
        params=_list_changes(cell),
    )


def _list_changes(cell: Cell) -> dict[str, object]:
    """Return what a cell sets itself: parameters, what it reads, and what it changes about the data."""
    values = cell.model_dump(mode="json", exclude_unset=True, exclude={"name", "model", "params", "data"})
    data = cell.data.model_dump(mode="json", exclude_unset=True)
    return values | dict(cell.params) | {f"data: {name}": value for name, value in data.items()}


def _list_finished(schedule: Schedule, cell: Cell, failures: Mapping[str, str]) -> dict[int, str]:
    """Return the keys of a cell's predictions by seed, those that failed left out."""
    keys = schedule.goals.get(cell.name, {})
    return {seed: key for seed, key in keys.items() if key not in failures}
