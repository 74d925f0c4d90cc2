"""The work that a study has before it can answer: jobs and their duration, questions and their cost."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Column, Table

from cotpd.cli.output import build_console, warn
from cotpd.config import Params
from cotpd.counts import format_count
from cotpd.data.records import Kind
from cotpd.errors import CotpdError
from cotpd.pipeline.workspace import Workspace
from cotpd.studies.learnt_from import estimate_answer_price
from cotpd.studies.results_cache import ResultsCache, estimate_seconds
from cotpd.studies.schedule import Schedule
from cotpd.studies.study import Cell, NamedStudy

if TYPE_CHECKING:
    from cotpd.pipeline.plan import Plan


def print_cells(schedule: Schedule) -> None:
    """Print a row a cell: how many of its seeds are to do, or that it is left out; the lines below say why."""
    table = Table(*(Column(name, no_wrap=True) for name in ("cell", "model", "seeds", "to do")))
    for cell in schedule.named.study.cells:
        keys = schedule.goals.get(cell.name, {}).values()
        pending = sum(key in schedule.missing for key in keys)
        state = f"{pending} of {format_count(len(keys), 'seed')}" if keys else "left out"
        table.add_row(cell.name, cell.model, ", ".join(map(str, schedule.named.study.seeds)), state)
    build_console(width=130).print(table)


def describe_work(schedule: Schedule, jobs: int, cache: Path) -> Sequence[str]:
    """Return what is to be done and how long it takes, by what finished jobs of the same sort took."""
    missing = schedule.missing.values()
    trainings = format_count(sum(job.kind == "train" for job in missing), "training")
    cached = len(schedule.jobs) - len(missing)
    seconds, unknown = estimate_seconds(missing, ResultsCache(cache).read_rates())
    duration = timedelta(seconds=round(seconds / jobs))
    estimate = (
        f"about {duration} with {jobs} at once" if unknown < len(missing) or not missing else "not known yet"
    )
    doubt = f", and {format_count(unknown, 'job')} of a sort that has not run here before" if unknown else ""
    return [
        f"jobs      {len(missing)} to do ({trainings}), {cached} done before or not needed again",
        f"duration  {estimate}{doubt}",
        *(f"left out  {name}: {reason}" for name, reason in schedule.left_out.items()),
    ]


def describe_questions(named: NamedStudy, params: Params) -> list[str]:
    """Return how many questions about this project's posts the ledger does not answer, and what they cost."""
    kinds = set(params.ask.kinds) | set(params.augment.kinds)
    for cell in named.study.cells:
        kinds |= set(map(Kind, cell.data.kinds)) if "kinds" in cell.data.model_fields_set else set()
        kinds |= {Kind.EXTRACT} if cell.is_llm else set()
    from cotpd.pipeline.plan import make_plan  # noqa: PLC0415  needs the extra llm, which a study does not

    remedy = "The study asks none: dvc repro augment validate extract does"
    lines = [_count_questions(lambda: make_plan(params, sorted(kinds)), params.llm.model, remedy)]
    for cell in named.study.cells:
        source = named.study.list_changes(cell).source
        if source is not None:
            model = source.adapt(named.params[cell.name]).llm.model
            remedy = f"`cotpd study ask {named.name}` asks them"
            line = _count_questions(partial(_plan_source, named, cell), model, remedy)
            lines.append(f"{line} ({cell.name})")
    return lines


def _plan_source(named: NamedStudy, cell: Cell) -> "Plan":
    """Count the questions that `study ask` asks for a cell: those about the posts that the cell reads."""
    from cotpd.pipeline.plan import plan_questions  # noqa: PLC0415  needs the extra llm, which a study does not
    from cotpd.pipeline.planned_questions import PlannedQuestion  # noqa: PLC0415  likewise
    from cotpd.studies.source_answers import build_source_questions  # noqa: PLC0415  likewise

    source = build_source_questions(named, cell)
    return plan_questions(map(PlannedQuestion, source.questions), source.params.llm)


def _count_questions(make: Callable[[], "Plan"], model: str, remedy: str) -> str:
    try:
        estimate = make()
    except CotpdError as error:
        return f"questions cannot be counted: {error.problem}"
    asked = sum(row.asked for row in estimate.kinds.values())
    if not asked:
        return "questions none: the ledger answers them all"
    likely, most = estimate.estimate_cost(), estimate.estimate_cost(at_most=True)
    cost = f"no price is known for {model}" if likely is None else f"${likely:,.2f}, at most ${most:,.2f}"
    return f"questions {asked:,} are not in the ledger: {cost}. {remedy}"


def find_answer_price(params: Params) -> float | None:
    """Return the dollars that an answer costs; None, with a warning, if the ledger cannot say."""
    try:
        workspace = Workspace()
        if not workspace.answers.is_file():
            return estimate_answer_price(params)
        return estimate_answer_price(params, [row.key for row in workspace.read_answers() if row.key])
    except (CotpdError, ModuleNotFoundError) as error:
        warn(f"the cost of answers is not known: {getattr(error, 'problem', error)}")
        return None
