"""Ask the model: each question is answered from the ledger or sent once, and one that fails stops no other.

Trade-off: :func:`ask` leaves the answers in the ledger and :func:`read_answers` yields them in the order of the
questions, so memory stays flat for any number of them. :func:`ask_all` returns lists, for callers with few.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cotpd.data.records import Answer, Quarantined
from cotpd.engine.ordered_map import LOCAL, Engine
from cotpd.llm.answer_reader import read_answers
from cotpd.llm.ledger.batch_jobs import BatchJobs
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import import_configured
from cotpd.llm.outcome import AskingOutcome
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question
from cotpd.llm.session import AskingSession
from cotpd.llm.sharded_asking import ask_in_shards, can_be_divided
from cotpd.llm.transports.batch import BatchTransport
from cotpd.llm.transports.live import LiveTransport
from cotpd.llm.transports.transport import Transport


@dataclass
class AskResult:
    """The answers to some questions in lists.

    Attributes:
        answers: The answers in the order of the questions, without the failed ones.
        from_ledger: Number of questions that the ledger had answered before.
        from_server: Number of requests that the server answered; two questions of the same wording are one
            request.
        failed: The questions without an answer.
    """

    answers: list[Answer] = field(default_factory=list)
    from_ledger: int = 0
    from_server: int = 0
    failed: list[Quarantined] = field(default_factory=list)


def ask(
    questions: Iterable[Question],
    params: LlmParams,
    *,
    progress: bool = True,
    total: int | None = None,
    engine: Engine = LOCAL,
) -> AskingOutcome:
    """Ask every question that the ledger does not answer, and record the answers there.

    An answer that was cut off (finish reason ``length``), refused or empty is an answer too, and recorded as such.
    A question that could exceed llm.max_cost or llm.max_tokens is not asked and counts as failed.

    Args:
        questions: The questions; drawn a window at a time.
        params: The server, the ledger and how to ask.
        progress: Show the progress.
        total: The number of questions, to show the time left; None takes the length of a list.
        engine: Whose machines ask.

    Raises:
        LlmError: Nothing answers at the address, the server refuses key, quota or model, many requests in a row
            failed, or the ledger cannot be written. Every answer up to then is in the ledger.
        ConfigError: A limit in dollars is set and the model's price is not known.
    """
    if not engine.is_local and can_be_divided(params):
        return ask_in_shards(ask, questions, params, engine, show=progress, total=total)
    with Ledger(params.ledger) as ledger:
        import_configured(ledger, params)
        batch_jobs = BatchJobs(ledger.database)
        with AskingSession(questions, params, ledger, show=progress, total=total) as session:
            transport: Transport
            if params.mode == "batch":
                transport = BatchTransport(session, params, batch_jobs)
            else:
                transport = LiveTransport(session, params, batch_jobs)
            transport.answer_all()
    return session.outcome


def ask_all(
    questions: Iterable[Question],
    params: LlmParams,
    *,
    progress: bool = True,
    step: str = "ask",
    engine: Engine = LOCAL,
) -> AskResult:
    """Ask questions as :func:`ask` does, and return lists; ``step`` is named in the quarantined rows."""
    outcome = ask(questions, params, progress=progress, engine=engine)
    answers = list(read_answers(outcome, params))
    return AskResult(answers, outcome.from_ledger, outcome.from_server, outcome.list_quarantined(step))
