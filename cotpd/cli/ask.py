"""`cotpd ask`: put the pipeline's questions to one or several models, so that the ledger holds their answers."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from cotpd.cli.output import show, warn
from cotpd.config import load_params
from cotpd.counts import format_count
from cotpd.data.records import Kind
from cotpd.errors import ConfigError, CotpdError
from cotpd.llm.ask import ask as ask_questions
from cotpd.llm.backends import list_backends
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question


def ask(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Only this one of llm.model and llm.others (repeatable)."),
    ] = None,
    kinds: Annotated[
        list[Kind] | None,
        typer.Option("--kind", help="Only this kind (repeatable), whether or not params.yaml asks for it."),
    ] = None,
    params_file: Annotated[Path, typer.Option("--params", help="The parameter file.")] = Path("params.yaml"),
) -> None:
    """Ask each model what the steps `ask` and `augment` would ask.

    The models are llm.model and llm.others, one after the other; one that cannot be asked does not stop the
    others. Answers go into the ledger; the pipeline uses those of the model that llm.model names. Captions have
    to be made first (`dvc repro caption`).

    \b
    Example:
      cotpd ask
      cotpd ask --model gpt-4o-mini --kind sentence
    """
    # needs the extra llm, and --help does not
    from cotpd.pipeline.planned_questions import iterate_questions, replace_kinds  # noqa: PLC0415

    params = load_params(params_file)
    models = list_backends(params.llm, model or None)
    if kinds:
        params = replace_kinds(params, kinds)
    total = _count_questions(planned.has_stand_in for planned in iterate_questions(params))
    try:
        failures = []
        for llm in models:
            questions = (planned.question for planned in iterate_questions(params))
            failures.append(_ask_model(llm, questions, total))
    except KeyboardInterrupt:
        warn("interrupted; what was answered is in the ledger: run again to go on")
        raise typer.Exit(130) from None
    if any(failures):
        raise typer.Exit(1)


def _count_questions(stand_ins: Iterable[bool]) -> int:
    """Count the questions.

    Args:
        stand_ins: For each question, whether a stand-in takes the place of the picture's caption.

    Raises:
        ConfigError: A caption is missing: its question would be asked, and paid for, again once it is there.
    """
    flags = list(stand_ins)
    if missing := sum(flags):
        posts = format_count(missing, "post has", "posts have")
        raise ConfigError(f"{posts} no caption yet", "Run `dvc repro caption` first.")
    return len(flags)


def _ask_model(llm: LlmParams, questions: Iterable[Question], total: int) -> bool:
    """Ask one model all questions, print a line of counts, and return whether any of them failed."""
    try:
        outcome = ask_questions(questions, llm, total=total)
    except CotpdError as error:  # a missing price or address concerns this model alone: the others are still asked
        warn(f"{llm.model}: {error}")
        return True
    unanswered = outcome.list_quarantined("ask")
    first = f", first: {unanswered[0].reason}" if unanswered else ""
    requests = format_count(len(outcome.questions), "request")
    show(
        f"{llm.model}: {requests}: {outcome.from_ledger} answered from the ledger, "
        f"{outcome.from_server} asked, {len(unanswered)} failed{first}"
    )
    return bool(unanswered)
