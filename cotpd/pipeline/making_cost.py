"""The cost of the answers behind a student: tokens and dollars of the ledger's entries, for its model card.

Trade-off: the ledger serves many runs, so the entries are looked up by the keys of this run's questions. Answers
that were asked for again (validate.reask) are paid for too, but no table names them; the card says so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from cotpd.augment.pipeline import list_attempts
from cotpd.config import Params
from cotpd.data.records import Extracted, Kind
from cotpd.errors import CotpdError, DataError
from cotpd.llm.ledger.database_address import find_ledger_file
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.spending.prices import find_price, read_price_table
from cotpd.pipeline.workspace import BEYOND_LIMIT, Workspace

_PAGE = 500  # entries in memory at once: an answer may be long

Expense = tuple[str, str]


def list_expenses(workspace: Workspace, params: Params) -> list[Expense]:
    """Return answers, tokens and dollars of a run as lines to read; a ledger that cannot be read is one, too."""
    try:
        return _sum_entries(workspace, params)
    except CotpdError as error:
        return [("language model", f"not known: {error.problem}")]


@dataclass
class Tokens:
    """The answers of one source, and the tokens that they took."""

    answers: int = 0
    sent: int = 0
    received: int = 0
    uncounted: int = 0
    """Answers without a count of tokens."""

    def add(self, entry: Entry) -> None:
        """Count one answer."""
        self.answers += 1
        self.sent += entry.prompt_tokens or 0
        self.received += entry.completion_tokens or 0
        self.uncounted += entry.prompt_tokens is None or entry.completion_tokens is None

    def compute_dollars(self, params: Params) -> float | None:
        """Return the dollars at the configured prices; None if no price is known."""
        price = find_price(params.llm)
        return None if price is None else price.compute_cost(self.sent, self.received)


def sum_by_source(workspace: Workspace, params: Params, extracted: Iterable[Extracted] = ()) -> dict[str, Tokens]:
    """Return what the answers of a run took, by the kind of question.

    Args:
        workspace: The run's tables.
        params: All parameters.
        extracted: Labels of the language model alone, which no student is made of.

    Raises:
        CotpdError: The ledger, a table, a prompt or the price file cannot be read.
    """
    path = find_ledger_file(params.llm.ledger)
    if path and not path.is_file():
        raise DataError(f"there is no ledger {path.name}", "Name it in llm.ledger.")
    sums: dict[str, Tokens] = {}
    with Ledger(params.llm.ledger) as ledger:
        sources = _list_keys(ledger, workspace, params)
        sources |= {row.key: Kind.EXTRACT.value for row in extracted if row.key}
        for entry in _iterate_entries(ledger, sources):
            sums.setdefault(sources[entry.key], Tokens()).add(entry)
    return {kind.value: sums[kind.value] for kind in Kind if kind.value in sums}


def _sum_entries(workspace: Workspace, params: Params) -> list[Expense]:
    """Return the expenses of all answers of a run.

    Raises:
        CotpdError: The ledger, a table, a prompt or the price file cannot be read.
    """
    sums = sum_by_source(workspace, params).values()
    answers = sum(tokens.answers for tokens in sums)
    sent, received = sum(tokens.sent for tokens in sums), sum(tokens.received for tokens in sums)
    uncounted = sum(tokens.uncounted for tokens in sums)
    if not answers:
        return [("language model", "asked nothing")]

    expenses = [("answers of the language model", f"{answers:,} by {params.llm.model}")]
    expenses.append(("tokens, sent and received", f"{sent:,} and {received:,}"))
    expenses.append(("dollars", _describe_dollars(params, sent, received)))
    if uncounted:
        expenses.append(("answers without a count of tokens", f"{uncounted:,}"))
    if params.validate_.reask:
        expenses.append(("answers asked for again", f"up to {params.validate_.reask} a question, not counted"))
    return expenses


def _list_keys(ledger: Ledger, workspace: Workspace, params: Params) -> dict[str, str]:
    """Return the kind of question by the ledger's key of its answer: those about knowledge, and of augment."""
    sources = {row.key: row.kind.value for row in workspace.read_answers() if row.key}
    attempts = list_attempts(
        workspace.read_posts("train"),
        params.augment,
        seed=params.seed,
        beyond_limit=workspace.read_posts(BEYOND_LIMIT),
        rule=workspace.read_words().text_rule,
    )
    requests, kinds = {}, {}
    for attempt in attempts:
        request = attempt.build_question(params.augment).build_request(params.llm)
        requests[request.key], kinds[request.key] = request, attempt.kind.value
    answered = ledger.find_answer_keys(requests)
    return sources | {key: kinds[question] for question, key in answered.items() if key not in sources}


def _iterate_entries(ledger: Ledger, keys: Iterable[str]) -> Iterator[Entry]:
    pending = iter(keys)
    while page := list(islice(pending, _PAGE)):
        yield from ledger.get_many(page).values()


def _describe_dollars(params: Params, sent: int, received: int) -> str:
    """Return the dollars at the configured prices; a server on this machine costs none."""
    price = find_price(params.llm)
    if price is None:
        return describe_prices(params)
    if not price.input and not price.output:
        return f"0.00: {describe_prices(params)}"
    return f"{price.compute_cost(sent, received):,.2f} {describe_prices(params)}"


def describe_prices(params: Params) -> str:
    """Return at which prices the answers are paid, or why no price is known."""
    price = find_price(params.llm)
    if price is None:
        return f"not known: no price of {params.llm.model}"
    if not price.input and not price.output:
        return "a server of one's own"
    return f"at the prices of {read_price_table(params.llm).checked}"
