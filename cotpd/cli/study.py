"""`cotpd study`: run a study, a set of trainings that answers one question, and say what it found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cotpd.cli.output import build_console, format_json, warn
from cotpd.cli.output import show as show_text
from cotpd.cli.study_work import describe_questions, describe_work, find_answer_price, print_cells
from cotpd.config import Params, load_params
from cotpd.errors import CotpdError
from cotpd.report.table_writer import build_rich
from cotpd.studies.html_report import write_study_page
from cotpd.studies.report_page import (
    list_notes,
    list_source_tables,
    render_markdown,
    tabulate_cells,
    tabulate_verdicts,
)
from cotpd.studies.results_cache import ResultsCache
from cotpd.studies.schedule import (
    FOLDER,
    HTML_PAGE,
    PAGE,
    PICTURE,
    RESULT,
    make_schedule,
    run_study,
    select_part,
)
from cotpd.studies.shortened import QUICK, shorten_study
from cotpd.studies.study import CACHE_NAME, NamedStudy, find_study, list_studies, read_study
from cotpd.studies.verdict import StudyResult, read_result

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
    print_cells(schedule)
    for line in (*describe_work(schedule, jobs, CACHE), *describe_questions(named, params)):
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
    for line in describe_work(schedule, jobs, CACHE):
        warn(line)
    try:
        result = run_study(
            schedule,
            cache,
            FOLDER / named.name,
            slots=jobs,
            say=warn,
            keeps_models=keep_models,
            answer_price=find_answer_price(params),
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


def _print_result(result: StudyResult) -> None:
    """Print both tables, a sentence for each difference, and where the page and the picture are."""
    console = build_console(width=150)
    verdicts = [tabulate_verdicts(result)] * bool(result.verdicts)
    for table in (tabulate_cells(result), *verdicts, *list_source_tables(result)):
        show_text(table.title)
        console.print(build_rich(table))
        show_text(f"{table.note}\n" if table.note else "")
    for sentence in (*result.list_further_sentences(), *list_notes(result)):
        show_text(sentence)
    show_text(f"\n{result.question}\n{result.answer}")
    folder = FOLDER / result.study
    show_text(f"page      {folder / HTML_PAGE}\nmarkdown  {folder / PAGE}\npicture   {folder / PICTURE}")
