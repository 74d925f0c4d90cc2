"""Plan a run before a token is spent: requests by kind, tokens, cost and duration.

Trade-off: the questions are built as the steps build them, so that the counts, and those of answers in the ledger,
are exact. Tokens are estimated from characters, at the rates of this model's answers in the ledger if it has some.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from statistics import median
from typing import NamedTuple

from cotpd.config import Params
from cotpd.data.records import Kind
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.batch_jobs import BatchJobs
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import import_configured
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question
from cotpd.llm.spending.prices import Price, find_price
from cotpd.pipeline.planned_questions import PlannedQuestion, iterate_questions, iterate_retries, replace_kinds

_DEFAULT_CHARACTERS, _DEFAULT_USED, _DEFAULT_SECONDS = 4.0, 0.6, 2.0  # rates of a model without answers
_MAX_OBSERVED = 2000  # entries of the ledger from which the rates are learnt
_PAGE = 500  # questions that are looked up in the ledger at once


@dataclass
class KindPlan:
    """The plan of one kind of question.

    Attributes:
        requests: Distinct requests.
        answered: Requests that the ledger answers.
        batched: Requests in a batch job that is not finished.
        guessed: Requests to ask with a stand-in for a caption.
        pictures: Pictures in the requests to ask.
        prompt_tokens: Tokens to send.
        expected: Tokens that will probably come back.
        most: Tokens that may come back at most, those of retries included.
        retries: Requests that follow at most, if every answer fails its checks (validate.reask).
        retry_tokens: Tokens to send with them.
        example: The first question.
    """

    requests: int = 0
    answered: int = 0
    batched: int = 0
    guessed: int = 0
    pictures: int = 0
    prompt_tokens: float = 0.0
    expected: float = 0.0
    most: int = 0
    retries: int = 0
    retry_tokens: float = 0.0
    example: Question | None = None

    @property
    def asked(self) -> int:
        """Requests that would be sent."""
        return self.requests - self.answered - self.batched


@dataclass(frozen=True)
class Rates:
    """The rates of a model's answers.

    Attributes:
        characters: Characters a token, in prompts.
        used: The share of the allowed length that an answer uses.
        seconds: The median time of an answer.
        answers: The answers that these rates are learnt from; 0 for a guess.
    """

    characters: float = _DEFAULT_CHARACTERS
    used: float = _DEFAULT_USED
    seconds: float = _DEFAULT_SECONDS
    answers: int = 0


@dataclass
class Plan:
    """The plan of each kind, with the rates, the tokens of a picture and the price that the estimates rest on."""

    kinds: dict[Kind, KindPlan] = field(default_factory=dict)
    rates: Rates = field(default_factory=Rates)
    price: Price | None = None
    picture_tokens: int = 0

    def estimate_cost(self, *, at_most: bool = False) -> float | None:
        """Return the probable, or the highest, cost in dollars; None without a price."""
        if self.price is None:
            return None
        kinds = self.kinds.values()
        prompt_tokens = sum(kind.prompt_tokens + at_most * kind.retry_tokens for kind in kinds)
        completion_tokens = sum(kind.most if at_most else kind.expected for kind in kinds)
        return self.price.compute_cost(prompt_tokens, completion_tokens)

    def estimate_seconds(self, llm: LlmParams) -> float:
        """Return the time that the requests take at the configured limits."""
        kinds = self.kinds.values()
        requests = sum(kind.asked for kind in kinds)
        tokens = sum(kind.prompt_tokens + kind.expected for kind in kinds)
        by_requests = 60 * requests / llm.requests_per_minute if llm.requests_per_minute else 0.0
        by_tokens = 60 * tokens / llm.tokens_per_minute if llm.tokens_per_minute else 0.0
        return max(requests * self.rates.seconds / llm.concurrency, by_requests, by_tokens)


def make_plan(params: Params, kinds: Iterable[Kind] | None = None) -> Plan:
    """Count the questions of the ask, augment and extract steps. The ledger is read, and nothing is sent.

    Args:
        params: All parameters.
        kinds: Plan exactly these kinds; None plans those of the parameters.

    Raises:
        DataError: The data set cannot be read, or is not annotated for the task.
        ConfigError: A prompt, the price file or the address cannot be used.
        LlmError: The ledger cannot be used.
    """
    if kinds is not None:
        params = replace_kinds(params, kinds)
    plan = plan_questions(iterate_questions(params, require_labels=True), params.llm)
    planned_kinds = {*params.ask.kinds, *params.augment.kinds}
    planned_kinds |= {Kind.EXTRACT} if params.llm_row.enabled is True else set()
    plan.kinds = {kind: plan.kinds.get(kind, KindPlan()) for kind in Kind if kind in planned_kinds}
    for planned, llm in iterate_retries(params, require_labels=True):
        _count_retry(plan, planned, llm)
    return plan


def _count_retry(plan: Plan, planned: PlannedQuestion, llm: LlmParams) -> None:
    """Add a request that is sent if an answer fails its checks."""
    row, request = plan.kinds[planned.question.kind], planned.question.build_request(llm)
    row.retries += 1
    row.retry_tokens += _count_prompt_tokens(plan, request)
    row.most += planned.question.max_tokens


def plan_questions(questions: Iterable[PlannedQuestion], llm: LlmParams) -> Plan:
    """Count some questions to a model. The ledger is read, and nothing is sent.

    Raises:
        ConfigError: The price file or the address cannot be used.
        LlmError: The ledger cannot be used.
    """
    iterator = iter(questions)
    with Ledger(llm.ledger) as ledger:
        import_configured(ledger, llm)
        plan = Plan(rates=learn_rates(ledger, llm.model), price=find_price(llm), picture_tokens=llm.picture_tokens)
        counted: set[str] = set()
        while page := list(islice(iterator, _PAGE)):
            _count_page(plan, page, llm, ledger, counted)
    return plan


def learn_rates(ledger: Ledger, model: str) -> Rates:
    """Return the rates of a model's answers among the first entries of the ledger; a guess if it has none."""
    observations = list(_iterate_observations(ledger, model))
    if not observations:
        return Rates()
    characters, prompt_tokens, used, seconds = zip(*observations, strict=True)
    timed = [value for value in seconds if value]
    return Rates(
        characters=sum(characters) / sum(prompt_tokens),
        used=sum(used) / len(used),
        seconds=median(timed) if timed else _DEFAULT_SECONDS,
        answers=len(observations),
    )


class _Observation(NamedTuple):
    """One answer in the ledger."""

    characters: int
    prompt_tokens: int
    used: float
    seconds: float | None


def _iterate_observations(ledger: Ledger, model: str) -> Iterator[_Observation]:
    """Yield the answers of a model whose tokens were counted; those about pictures say nothing of characters."""
    for entry in islice(ledger.iterate_entries(), _MAX_OBSERVED):
        request = ChatRequest.parse(entry.request)
        if request.picture_urls or request.body.get("model") != model:
            continue
        if entry.prompt_tokens and entry.completion_tokens is not None:
            allowed = request.max_answer_tokens or entry.completion_tokens or 1
            used = entry.completion_tokens / allowed
            yield _Observation(_count_characters(request), entry.prompt_tokens, used, entry.latency)


def _count_characters(request: ChatRequest) -> int:
    """Count the characters of the text in a request, without those of pictures."""
    total = 0
    for message in request.body["messages"]:
        content = message["content"]
        texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
        total += sum(map(len, texts))
    return total


def _count_page(
    plan: Plan, page: Sequence[PlannedQuestion], llm: LlmParams, ledger: Ledger, counted: set[str]
) -> None:
    """Add some questions to the plan, except those whose keys are in ``counted``, which takes the new keys."""
    requests: dict[str, tuple[PlannedQuestion, ChatRequest]] = {}
    for planned in page:
        request = planned.question.build_request(llm)
        if request.key not in counted:
            requests.setdefault(request.key, (planned, request))
    counted |= requests.keys()

    answered = ledger.find_answer_keys({key: request for key, (_, request) in requests.items()})
    batched = BatchJobs(ledger.database).find_batches(requests.keys() - answered.keys())
    for key, (planned, request) in requests.items():
        row = plan.kinds.setdefault(planned.question.kind, KindPlan())
        row.example = row.example or planned.question
        row.requests += 1
        if key in answered:
            row.answered += 1
        elif key in batched:
            row.batched += 1
        else:
            _count_unanswered(row, plan, planned, request)


def _count_unanswered(row: KindPlan, plan: Plan, planned: PlannedQuestion, request: ChatRequest) -> None:
    """Add a request that is to be sent to the plan of its kind."""
    row.guessed += planned.has_stand_in
    row.pictures += len(request.picture_urls)
    row.prompt_tokens += _count_prompt_tokens(plan, request)
    row.expected += planned.question.max_tokens * plan.rates.used
    row.most += planned.question.max_tokens


def _count_prompt_tokens(plan: Plan, request: ChatRequest) -> float:
    """Estimate the tokens of a request's text and pictures."""
    return _count_characters(request) / plan.rates.characters + len(request.picture_urls) * plan.picture_tokens
