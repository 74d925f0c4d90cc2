"""`cotpd ask`: put the pipeline's questions to one or several models, so that the ledger holds their answers."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotpd.cli.output import show, warn
from cotpd.data.records import Kind
from cotpd.errors import ConfigError, CotpdError

if TYPE_CHECKING:
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
    from cotpd.config import load_params
    from cotpd.llm.backends import list_backends
    from cotpd.pipeline.plan import all_requests, with_kinds

    params = load_params(params_file)
    chosen = list_backends(params.llm, model or None)
    if kinds:
        params = with_kinds(params, set(kinds))
    total, guesses = _count(guess for _, guess in all_requests(params))
    if guesses:
        raise ConfigError(f"{guesses} posts have no caption yet", "Run `dvc repro caption` first.")
    try:
        failed = [_failed(llm, (request for request, _ in all_requests(params)), total) for llm in chosen]
    except KeyboardInterrupt:
        warn("interrupted; what was answered is in the ledger: run again to go on")
        raise typer.Exit(130) from None
    if any(failed):
        raise typer.Exit(1)


def _count(guesses: Iterable[bool]) -> tuple[int, int]:
    """How many there are, and how many of them hold."""
    every = list(guesses)
    return len(every), sum(every)


def _failed(llm: "LlmParams", requests: "Iterable[Question]", total: int) -> bool:
    """Ask one model and say what came of it."""
    from cotpd.llm.ask import ask as ask_model

    try:
        asked = ask_model(requests, llm, total=total)
    except CotpdError as error:  # a price or an address that is missing is this model's own, too
        warn(f"{llm.model}: {error}")
        return True
    unanswered = asked.list_quarantined("ask")
    first = f", first: {unanswered[0].reason}" if unanswered else ""
    show(
        f"{llm.model}: {len(asked.rows)} requests: {asked.from_ledger} answered from the ledger, "
        f"{asked.asked} asked, {len(unanswered)} failed{first}"
    )
    return bool(unanswered)
