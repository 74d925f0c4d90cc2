"""What the answers behind a student cost: tokens and dollars of the ledger's entries, for its model card.

Trade-off: the ledger serves many runs, so the entries are looked up by the keys of this run's questions. Answers
that were asked for again (validate.reask) are paid for too, but no table names them; the card says so.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from cotpd.augment.pipeline import list_attempts
from cotpd.config import Params
from cotpd.errors import CotpdError
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


def _sum_entries(workspace: Workspace, params: Params) -> list[Expense]:
    """Return the expenses of all answers of a run.

    Raises:
        CotpdError: The ledger, a table, a prompt or the price file cannot be read.
    """
    path = find_ledger_file(params.llm.ledger)
    if path and not path.is_file():
        return [("language model", f"not known: there is no ledger {path}")]
    answers = sent = received = uncounted = 0
    with Ledger(params.llm.ledger) as ledger:
        for entry in _iterate_entries(ledger, _list_keys(ledger, workspace, params)):
            answers += 1
            sent += entry.prompt_tokens or 0
            received += entry.completion_tokens or 0
            uncounted += entry.prompt_tokens is None or entry.completion_tokens is None
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


def _list_keys(ledger: Ledger, workspace: Workspace, params: Params) -> list[str]:
    """Return the ledger's keys of the answers about knowledge, and of those that augment was made from."""
    keys = dict.fromkeys(row.key for row in workspace.read_answers() if row.key)
    attempts = list_attempts(
        workspace.read_posts("train"),
        params.augment,
        seed=params.seed,
        beyond_limit=workspace.read_posts(BEYOND_LIMIT),
    )
    requests = {}
    for attempt in attempts:
        request = attempt.build_question(params.augment).build_request(params.llm)
        requests[request.key] = request
    return list(keys | dict.fromkeys(ledger.find_answer_keys(requests).values()))


def _iterate_entries(ledger: Ledger, keys: Iterable[str]) -> Iterator[Entry]:
    pending = iter(keys)
    while page := list(islice(pending, _PAGE)):
        yield from ledger.get_many(page).values()


def _describe_dollars(params: Params, sent: int, received: int) -> str:
    """Return the dollars at the configured prices; a server on this machine costs none."""
    price = find_price(params.llm)
    if price is None:
        return f"not known: no price of {params.llm.model}"
    if not price.input and not price.output:
        return "0.00: a server of one's own"
    day = read_price_table(params.llm).checked
    return f"{price.compute_cost(sent, received):,.2f} at the prices of {day}"
