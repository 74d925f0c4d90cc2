"""`cotpd study`: run a study, a set of trainings that answers one question, and say what it found."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from cotpd.cli.output import build_console, format_json, warn
from cotpd.cli.output import show as show_text
from cotpd.config import Params, load_params
from cotpd.data.records import Kind
from cotpd.errors import CotpdError
from cotpd.pipeline.workspace import Workspace
from cotpd.report.table_writer import build_rich
from cotpd.studies.html_report import write_study_page
from cotpd.studies.learnt_from import estimate_answer_price
from cotpd.studies.report_page import (
    list_notes,
    list_source_tables,
    render_markdown,
    tabulate_cells,
    tabulate_verdicts,
)
from cotpd.studies.results_cache import ResultsCache, estimate_seconds
from cotpd.studies.schedule import (
    FOLDER,
    HTML_PAGE,
    PAGE,
    PICTURE,
    RESULT,
    Schedule,
    make_schedule,
    run_study,
    select_part,
)
from cotpd.studies.shortened import QUICK, shorten_study
from cotpd.studies.study import CACHE_NAME, Cell, NamedStudy, find_study, list_studies, read_study
from cotpd.studies.verdict import StudyResult, describe_verdict, read_result

if TYPE_CHECKING:
    from cotpd.pipeline.plan import Plan

app = typer.Typer(
    help="Run a study: trainings that together answer one question.", no_args_is_help=True, add_completion=False
)
Name = Annotated[str, typer.Argument(help="A study of `cotpd study list`, or a YAML file.")]
Seeds = Annotated[
    list[int] | None, typer.Option("--seed", min=0, help="This seed instead of the file's (repeatable).")
]
Cells = Annotated[list[str] | None, typer.Option("--cell", help="Only this cell (repeatable).")]
Split = Annotated[str | None, typer.Option(help="Score valid or test, whatever the file says.")]
Quick = Annotated[
    bool, typer.Option("--quick", help="One seed, few layers and epochs: shows that everything runs.")
]
ParamsFile = Annotated[Path, typer.Option("--params", help="The parameter file.")]
CACHE = FOLDER / CACHE_NAME


@app.command("list")
def list_names() -> None:
    """Name the studies that come with CoTPD, and their questions.

    Example: cotpd study list
    """
    params = Params()
    studies = [read_study(path.stem, params) for path in list_studies()]
    width = max(len(named.name) for named in studies) + 2
    for named in studies:
        show_text(f"{named.name:{width}}{named.study.question}")


@app.command("plan")
def plan(
    name: Name,
    seeds: Seeds = None,
    cells: Cells = None,
    split: Split = None,
    quick: Quick = False,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at once.")] = 1,
    params_file: ParamsFile = Path("params.yaml"),
) -> None:
    """Say what a study would train, how long that takes, and what its questions cost. Nothing is trained or asked.

    \b
    Example:
      cotpd study plan knowledge
      cotpd study plan data-efficiency --seed 13
    """
    params = load_params(params_file)
    named = _read_part(name, params, seeds, cells, split, quick=quick)
    schedule = make_schedule(named, ResultsCache(CACHE))
    show_text(f"{named.study.question}\n")
    _print_cells(schedule)
    for line in (*_describe_work(schedule, jobs), *_describe_questions(named, params)):
        show_text(line)


@app.command("run")
def run(
    name: Name,
    seeds: Seeds = None,
    cells: Cells = None,
    split: Split = None,
    quick: Quick = False,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at once, on one GPU too.")] = 1,
    keep_models: Annotated[bool, typer.Option(help="Keep the models of students and baselines.")] = False,
    params_file: ParamsFile = Path("params.yaml"),
) -> None:
    """Train what a study needs and has not trained before, and write its table, picture and answer.

    Ctrl-C ends it; run again, it goes on where it was. A cell that fails is named in the table, the others go on,
    and the exit status is 1.

    \b
    Example:
      cotpd study run knowledge
      cotpd study run ablation --seed 13 --jobs 2
      cotpd study run alignment --quick
    """
    import matplotlib  # noqa: PLC0415, F401  the extra report: its absence ends the study now, not after hours

    params = load_params(params_file)
    named = _read_part(name, params, seeds, cells, split, quick=quick)
    cache = ResultsCache(CACHE)
    schedule = make_schedule(named, cache)
    for line in _describe_work(schedule, jobs):
        warn(line)
    try:
        result = run_study(
            schedule,
            cache,
            FOLDER / named.name,
            slots=jobs,
            say=warn,
            keeps_models=keep_models,
            answer_price=_find_answer_price(params),
        )
    except KeyboardInterrupt:
        warn("interrupted; run again to go on")
        raise typer.Exit(130) from None
    _print_result(result)
    if any(cell.problem and cell.name in schedule.goals for cell in result.cells):
        raise typer.Exit(1)


@app.command("ask")
def ask(name: Name, cells: Cells = None, params_file: ParamsFile = Path("params.yaml")) -> None:
    """Ask the questions of cells whose answers come from another model, prompt set or temperature.

    Answers go into the ledger, within the limits of llm; `study plan` says before what they cost.

    \b
    Example:
      cotpd study plan cross-llm
      cotpd study ask cross-llm --cell "paper prompts"
    """
    from cotpd.studies.source_answers import ask_sources, list_source_cells  # noqa: PLC0415  needs the extra llm, unlike a study

    named = _read_part(name, load_params(params_file), None, cells, None, quick=False)
    if not list_source_cells(named):
        show_text(f"nothing to ask: no cell of {named.name} takes its answers from elsewhere (data: source)")
    failed = 0
    for cell, outcome in ask_sources(named):
        if isinstance(outcome, CotpdError):
            warn(f"{cell}: {outcome}")
            failed += 1
            continue
        failed += len(outcome.failures)
        show_text(
            f"{cell}: {outcome.from_ledger} answered from the ledger, {outcome.from_server} asked, "
            f"{len(outcome.failures)} failed"
        )
    if failed:
        raise typer.Exit(1)


@app.command("show")
def show(
    name: Name,
    quick: Annotated[bool, typer.Option("--quick", help="What its shortened run has found.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Build its page again, to this file.", show_default=False)
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="For a pull request, in Markdown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, F1 in [0, 1].")] = False,
) -> None:
    """Print what a study has found the last time that it ran here.

    \b
    Example:
      cotpd study show knowledge
      cotpd study show knowledge --markdown
    """
    folder = FOLDER / (find_study(name).stem + QUICK * quick)
    result = read_result(folder / RESULT, f"cotpd study run {name}{' --quick' * quick}")
    if as_json:
        show_text(format_json(result.model_dump(mode="json") | {"answer": result.answer}, indent=2))
    elif html is not None:
        write_study_page(result, html)
        show_text(f"page      {html}")
    elif markdown:
        show_text(render_markdown(result, PICTURE), end="")
    else:
        _print_result(result)


def _read_part(
    name: str,
    params: Params,
    seeds: Sequence[int] | None,
    cells: Sequence[str] | None,
    split: str | None,
    *,
    quick: bool,
) -> NamedStudy:
    """Read a study, or the part of it that the options ask for."""
    named = read_study(name, params)
    if quick:
        named = shorten_study(named, params)
    return select_part(named, seeds=seeds or (), cells=cells or (), split=split)


def _print_cells(schedule: Schedule) -> None:
    """Print a row a cell: how many of its seeds are to do, or that it is left out; the lines below say why."""
    table = Table(*(Column(name, no_wrap=True) for name in ("cell", "model", "seeds", "to do")))
    for cell in schedule.named.study.cells:
        keys = schedule.goals.get(cell.name, {}).values()
        pending = sum(key in schedule.missing for key in keys)
        state = f"{pending} of {len(keys)} seeds" if keys else "left out"
        table.add_row(cell.name, cell.model, ", ".join(map(str, schedule.named.study.seeds)), state)
    build_console(width=130).print(table)


def _describe_work(schedule: Schedule, jobs: int) -> Sequence[str]:
    """Return what is to be done and how long it takes, by what finished jobs of the same sort took."""
    missing = schedule.missing.values()
    trainings = sum(job.kind == "train" for job in missing)
    cached = len(schedule.jobs) - len(missing)
    seconds, unknown = estimate_seconds(missing, ResultsCache(CACHE).read_rates())
    duration = timedelta(seconds=round(seconds / jobs))
    estimate = (
        f"about {duration} with {jobs} at once" if unknown < len(missing) or not missing else "not known yet"
    )
    doubt = f", and {unknown} jobs of a sort that has not run here before" if unknown else ""
    return [
        f"jobs      {len(missing)} to do ({trainings} trainings), {cached} done before or not needed again",
        f"duration  {estimate}{doubt}",
        *(f"left out  {name}: {reason}" for name, reason in schedule.left_out.items()),
    ]


def _describe_questions(named: NamedStudy, params: Params) -> list[str]:
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


def _find_answer_price(params: Params) -> float | None:
    """Return the dollars that an answer costs; None, with a warning, if the ledger cannot say."""
    try:
        workspace = Workspace()
        if not workspace.answers.is_file():
            return estimate_answer_price(params)
        return estimate_answer_price(params, [row.key for row in workspace.read_answers() if row.key])
    except (CotpdError, ModuleNotFoundError) as error:
        warn(f"the cost of answers is not known: {getattr(error, 'problem', error)}")
        return None


def _print_result(result: StudyResult) -> None:
    """Print both tables, a sentence for each difference, and where the page and the picture are."""
    console = build_console(width=150)
    console.print(build_rich(tabulate_cells(result)))
    if result.verdicts:
        console.print(build_rich(tabulate_verdicts(result)))
    for table in list_source_tables(result):
        console.print(build_rich(table))
    for verdict in result.verdicts[1:]:
        show_text(describe_verdict(verdict, result))
    for note in list_notes(result):
        show_text(note)
    show_text(f"\n{result.question}\n{result.answer}")
    folder = FOLDER / result.study
    show_text(f"page      {folder / HTML_PAGE}\nmarkdown  {folder / PAGE}\npicture   {folder / PICTURE}")
