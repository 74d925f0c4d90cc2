"""Put questions to the model: each is answered by the ledger or asked once, and one that fails stops no other.

Trade-off: :func:`ask` keeps the answers in the ledger and reads them back in the order of the requests, for any
number of them in flat memory; :func:`ask_all` makes lists, for callers with few.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cotpd.completions import Stop, classify_stop, clean_answer, has_control_tokens, strip_control_tokens
from cotpd.data.records import Answer, Kind, Quarantined
from cotpd.errors import LlmError
from cotpd.llm.answer_schema import words
from cotpd.llm.chat_request import Completion, read_completion
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import import_recorded
from cotpd.llm.outcome import Asked, Row
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question
from cotpd.llm.secret_mask import SecretMask
from cotpd.llm.session import Round
from cotpd.llm.transports.batch import BatchRound

__all__ = ["AskResult", "Asked", "answers", "ask", "ask_all", "build_dataset_answer"]

INVALID = "invalid"  # finish reason of an answer that does not hold to its prompt's schema; its text stays raw
_PAGE = 500


@dataclass
class AskResult:
    """Answers in the order of the requests, without the failed ones, and where they came from.

    ``from_ledger`` and ``failed`` count requests; ``asked`` counts answered calls, two requests
    of the same wording as one.
    """

    answers: list[Answer] = field(default_factory=list)
    from_ledger: int = 0
    asked: int = 0
    failed: list[Quarantined] = field(default_factory=list)


def ask(
    requests: Iterable[Question], params: LlmParams, *, progress: bool = True, total: int | None = None
) -> Asked:
    """See to it that the ledger answers every request, by asking what it lacks.

    An answer that was cut off (finish reason ``length``), refused or empty is an answer: it is kept, and says so.
    A request that would go beyond llm.max_cost or llm.max_tokens is not sent and counts as failed.

    Args:
        requests: The questions; drawn as they are needed.
        params: The server, the ledger and how to ask.
        progress: Show how far it has come.
        total: How many requests there are, to show the time left; None counts those of a list.

    Raises:
        LlmError: Nothing answers at the address, the server refuses key, quota or model, it failed many times in
            a row, or the ledger cannot be written. Every answer up to then is in the ledger.
        ConfigError: A limit in dollars is set and the model's price is not known.
    """
    with Ledger(params.ledger) as ledger:
        import_recorded(ledger, params)
        kind = BatchRound if params.mode == "batch" else Round
        return kind(requests, params, ledger, progress, total).run()


def answers(asked: Asked, params: LlmParams) -> Iterator[Answer]:
    """The answers of a round, in the order of its requests, read from the ledger a page at a time.

    Raises:
        LlmError: The ledger has lost an answer since.
    """
    mask = SecretMask.from_params(params)  # older versions let some spellings of a key into the ledger
    with Ledger(params.ledger) as ledger:
        for start in range(0, len(asked.rows), _PAGE):
            rows = [row for row in asked.rows[start : start + _PAGE] if row.key not in asked.failed]
            keys = [asked.instead.get(row.key, row.key) for row in rows]
            held = ledger.responses(keys)  # the round has looked whether they are sound
            for row, key in zip(rows, keys, strict=True):
                if key not in held:
                    raise LlmError(f"{params.ledger}: the answer {key} is gone", "Run again: it is asked again.")
                yield _answer(row, key, mask.mask_body(held[key]))


def ask_all(
    requests: Iterable[Question], params: LlmParams, *, progress: bool = True, step: str = "ask"
) -> AskResult:
    """:func:`ask`, with answers and failures in lists; ``step`` is named in the quarantined rows."""
    asked = ask(requests, params, progress=progress)
    return AskResult(list(answers(asked, params)), asked.from_ledger, asked.asked, asked.list_quarantined(step))


def build_dataset_answer(id: str, kind: Kind, written: str) -> Answer:
    """The answer that came with a data set, made of what some model wrote."""
    cleaned = clean_answer(written)
    problem = "" if cleaned.finished else "the model's reasoning does not end"
    return Answer(id=id, kind=kind, text=cleaned.text, source="dataset", problem=problem)


def _answer(row: Row, key: str, response: str) -> Answer:
    completion = read_completion(response)
    text, problem = _answer_text(completion, row)
    finish_reason = completion.finish_reason
    if row.schema and not problem and classify_stop(finish_reason) is not Stop.WITHHELD:
        try:
            text = words(text, row.schema)
            text = strip_control_tokens(text) if has_control_tokens(text) else text
        except ValueError:
            if classify_stop(finish_reason) is Stop.CUT:
                problem = f"the answer was cut off and does not hold to its prompt's schema: raise {row.limit}"
            finish_reason = INVALID
    return Answer(
        id=row.id,
        kind=row.kind,
        text=text,
        source="llm",
        model=completion.model,
        key=key,
        finish_reason=finish_reason,
        problem=problem,
    )


def _answer_text(completion: Completion, row: Row) -> tuple[str, str]:
    """The answer in what a model wrote, and why there is none; an empty one is left to the checks."""
    cleaned = clean_answer(completion.text)
    stop = classify_stop(completion.finish_reason)
    if not cleaned.finished:
        end = f"was cut off before the answer: raise {row.limit}" if stop is Stop.CUT else "does not end"
        return "", f"the model's reasoning {end}"
    if cleaned.text.strip() or stop is Stop.WITHHELD:
        return cleaned.text, ""
    if stop is Stop.CUT:
        return "", f"cut before its first word: raise {row.limit}"
    if cleaned.reasoned or completion.reasoned:
        return "", "the model reasoned and gave no answer"
    return cleaned.text, ""
