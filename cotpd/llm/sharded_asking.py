"""Asking on several machines: each shard of the questions is a session of its own, on one ledger.

Every worker commits its answers to the ledger itself. A machine that is lost takes along what was in flight there;
its shard is asked again on another machine, whose session finds the committed answers.

Trade-off: limits on requests and tokens in a minute, and the number of requests in flight, are divided evenly
among the machines, so that they hold together. A limit on spending cannot be divided without stopping too early.
With one, or in batch mode, this process asks alone: a server gets as many requests at once either way.
"""

import socket
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from cotpd.engine.ordered_map import Engine
from cotpd.errors import ConfigError
from cotpd.llm.ledger.database_address import find_ledger_file
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import import_configured
from cotpd.llm.outcome import AskingOutcome
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question
from cotpd.llm.spending.budget import Budget
from cotpd.progress import Progress

AskHere = Callable[..., AskingOutcome]
"""Asks questions in the process that calls it: :func:`cotpd.llm.ask.ask`."""


def can_be_divided(params: LlmParams) -> bool:
    """Whether several machines may ask at once; see the head of this module."""
    return params.mode == "live" and params.max_cost is None and params.max_tokens is None


def ask_in_shards(
    ask_here: AskHere,
    questions: Iterable[Question],
    params: LlmParams,
    engine: Engine,
    *,
    show: bool,
    total: int | None,
) -> AskingOutcome:
    """Ask questions on an engine's machines, and put their outcomes together in the order of the questions.

    Raises:
        LlmError: As each session does; every answer up to then is in the ledger.
        ConfigError: The ledger is a file, and a machine that does not have it was given a shard.
    """
    with Ledger(params.ledger) as ledger:
        import_configured(ledger, params)
    parts = max(1, min(engine.processes, params.concurrency))
    transform = partial(ask_shard, ask_here, divide_limits(params, parts), socket.gethostname())
    outcome, bought = AskingOutcome(Budget.from_params(params)), set[str]()
    with Progress("asking", total, show=show, facts=partial(_describe_progress, outcome)) as bar:
        for share in engine.map_in_order(transform, questions, most_at_once=parts):
            add_outcome(outcome, share, bought)
            bar.advance(len(share.questions))
    return outcome


def ask_shard(
    ask_here: AskHere, params: LlmParams, home: str, questions: Iterable[Question]
) -> Iterator[AskingOutcome]:
    """Yield the outcome of one shard; runs on a worker.

    Args:
        ask_here: Asks.
        params: With this worker's share of the limits.
        home: The machine that has the ledger's file, if it is one.
        questions: The shard.
    """
    host = socket.gethostname()
    if host != home and find_ledger_file(params.ledger) is not None:
        raise ConfigError(
            f"llm.ledger: {params.ledger} is a file of {home}, and the Ray node {host} is to write answers there",
            "Several machines need a ledger on PostgreSQL: postgresql+psycopg://user@host/database",
        )
    yield ask_here(questions, params, progress=False)


def divide_limits(params: LlmParams, parts: int) -> LlmParams:
    """Return the parameters of each of so many processes that ask at the same time.

    Recordings were imported before, and prices are those of the process that counts the spending.
    """
    changes: dict[str, object] = {"concurrency": params.concurrency // parts, "recorded": None, "prices": None}
    for name in ("requests_per_minute", "tokens_per_minute"):
        limit = getattr(params, name)
        changes[name] = limit and limit / parts
    if (path := find_ledger_file(params.ledger)) is not None:
        changes["ledger"] = str(path.resolve())
    return params.model_copy(update=changes)


def add_outcome(outcome: AskingOutcome, share: AskingOutcome, bought: set[str]) -> None:
    """Add the outcome of the next shard.

    Args:
        outcome: The outcome of the shards before.
        share: The outcome of the next shard.
        bought: Keys that shards before have bought, which are not from the ledger; takes those of this shard.
    """
    answered = {question.key for question in share.questions} - share.failures.keys()
    outcome.questions += share.questions
    outcome.ledger_keys |= share.ledger_keys - bought
    bought |= answered - share.ledger_keys
    outcome.from_server += share.from_server
    outcome.failures |= share.failures
    for key in outcome.failures.keys() & answered:
        del outcome.failures[key]  # the ledger answers the equal question of an earlier shard as well
    outcome.schemaless_keys |= share.schemaless_keys
    outcome.budget.add_spending(share.budget)


def _describe_progress(outcome: AskingOutcome) -> dict[str, str]:
    """Return the columns of the live table."""
    facts = {
        "from the ledger": f"{len(outcome.ledger_keys):,}",
        "answered": f"{outcome.from_server:,}",
        "failed": f"{len(outcome.failures):,}",
    }
    if outcome.from_server and outcome.budget.price:
        facts["cost"] = f"${outcome.budget.spent.cost:,.2f}"
    return facts
