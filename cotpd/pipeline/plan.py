"""What a run would ask, before a token is spent: requests by kind, tokens, cost and duration.

Trade-off: the questions are built as the steps build them, so counts and what the ledger answers are exact; tokens
are estimated from characters, by what the ledger's own answers of this model came to where it has some.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from statistics import median

from cotpd.augment.pipeline import list_attempts
from cotpd.config import Params
from cotpd.data.load import load_dataset
from cotpd.data.records import Kind, Post
from cotpd.data.split_checks import require_task_labels
from cotpd.data.unlabelled import load_unlabelled
from cotpd.images.picture_encoder import sight
from cotpd.knowledge.questions import build_questions
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.ledger import Entry, Ledger
from cotpd.llm.ledger.recording import import_recorded
from cotpd.llm.question import Question
from cotpd.llm.spending.prices import Price, find_price
from cotpd.pipeline.workspace import Workspace

_GUESSED_CAPTION = "a caption of about a dozen words, which no step has made yet"
_CHARACTERS, _USED, _SECONDS = 4.0, 0.6, 2.0  # without any answer to learn from
_LEARNT_FROM = 2000  # answers at most


@dataclass
class KindPlan:
    """One kind of question; tokens are those of the requests that are still to be asked.

    Attributes:
        requests, answered, batched: Distinct requests, those in the ledger, those in a batch that is out.
        guessed: Those whose caption is to come.
        pictures: Shown in what is to be asked.
        prompt_tokens, expected, most: Tokens to send, and to receive, likely and at most.
        example: The first request.
    """

    requests: int = 0
    answered: int = 0
    batched: int = 0
    guessed: int = 0
    pictures: int = 0
    prompt_tokens: float = 0.0
    expected: float = 0.0
    most: int = 0
    example: Question | None = None

    @property
    def asked(self) -> int:
        """Requests that would go over the wire."""
        return self.requests - self.answered - self.batched


@dataclass(frozen=True)
class Rates:
    """What the ledger's answers of a model came to; ``answers`` of them, 0 for a guess.

    Attributes:
        characters: A token's, in prompts.
        used: The share of the allowed length that an answer takes.
        seconds: An answer's, median.
    """

    characters: float = _CHARACTERS
    used: float = _USED
    seconds: float = _SECONDS
    answers: int = 0


@dataclass
class Plan:
    """All kinds, what the estimate rests on (rates, tokens a picture), and the price if any."""

    kinds: dict[Kind, KindPlan] = field(default_factory=dict)
    rates: Rates = field(default_factory=Rates)
    price: Price | None = None
    picture_tokens: int = 0

    def cost(self, *, at_most: bool = False) -> float | None:
        """Dollars, likely or at most; None without a price."""
        if self.price is None:
            return None
        kinds = self.kinds.values()
        written = sum(kind.most if at_most else kind.expected for kind in kinds)
        return self.price.compute_cost(sum(kind.prompt_tokens for kind in kinds), written)

    def seconds(self, params: Params) -> float:
        """How long the asking would take at the configured limits."""
        llm, kinds = params.llm, self.kinds.values()
        asked = sum(kind.asked for kind in kinds)
        tokens = sum(kind.prompt_tokens + kind.expected for kind in kinds)
        by_requests = 60 * asked / llm.requests_per_minute if llm.requests_per_minute else 0.0
        by_tokens = 60 * tokens / llm.tokens_per_minute if llm.tokens_per_minute else 0.0
        return max(asked * self.rates.seconds / llm.concurrency, by_requests, by_tokens)


def make_plan(params: Params, kinds: Iterable[Kind] | None = None) -> Plan:
    """Count what the ask and augment steps would ask; the ledger is looked into and nothing is sent.

    Args:
        params: All parameters.
        kinds: Only these, whether or not the parameters ask for them; None takes the parameters' kinds.

    Raises:
        DataError: The data set cannot be read.
        ConfigError: A prompt, the price file or the address cannot be used.
        LlmError: The ledger cannot be used.
    """
    if kinds is not None:
        params = with_kinds(params, set(kinds))
    with Ledger(params.llm.ledger) as ledger:
        import_recorded(ledger, params.llm)
        rates, price = learn_rates(ledger, params.llm.model), find_price(params.llm)
        plan = Plan(rates=rates, price=price, picture_tokens=params.llm.picture_tokens)
        seen: set[str] = set()
        requests = all_requests(params, require_labels=True)
        while some := list(islice(requests, 500)):
            calls = {(call := request.build_request(params.llm)).key: (request, call) for request, _ in some}
            guessed = {request.id for request, guess in some if guess}
            held = ledger.answer_keys({key: call for key, (_, call) in calls.items()})
            out = ledger.in_jobs(calls.keys() - held.keys())
            for key, (request, call) in calls.items():
                if key in seen:
                    continue
                row = plan.kinds.setdefault(request.kind, KindPlan())
                row.example = row.example or request
                row.requests += 1
                row.answered += key in held
                row.batched += key in out
                if key not in held and key not in out:
                    _price(row, plan, request, call, guessed)
            seen |= calls.keys()
    wanted = {*params.ask.kinds, *params.augment.kinds}
    plan.kinds = {kind: plan.kinds.get(kind, KindPlan()) for kind in Kind if kind in wanted}
    return plan


def with_kinds(params: Params, kinds: set[Kind]) -> Params:
    """The parameters with only these kinds of question, in their own order."""
    asked = tuple(kind for kind in Kind if kind in kinds and kind in _ASKED)
    augmented = tuple(kind for kind in Kind if kind in kinds and kind not in _ASKED)
    return params.model_copy(
        update={
            "ask": params.ask.model_copy(update={"kinds": asked}),
            "augment": params.augment.model_copy(update={"kinds": augmented}),
        }
    )


_ASKED = {Kind.NOUN, Kind.SENTENCE, Kind.MULTIMODALITY}


def learn_rates(ledger: Ledger, model: str) -> Rates:
    """What this model's answers came to, of the first some thousand in the ledger."""
    rows = [row for row in _of_model(ledger, model) if row[1]]
    if not rows:
        return Rates()
    sent, read, used, seconds = zip(*rows, strict=True)
    timed = [value for value in seconds if value]
    return Rates(sum(sent) / sum(read), sum(used) / len(used), median(timed) if timed else _SECONDS, len(rows))


def _of_model(ledger: Ledger, model: str) -> Iterator[tuple[int, int, float, float | None]]:
    """Characters sent, tokens read, share of the allowed length used and seconds, by answer."""
    for entry, call in _answers(ledger):
        if call.pictures:
            continue  # its tokens say nothing of characters
        if call.body.get("model") == model and entry.prompt_tokens and entry.completion_tokens is not None:
            allowed = call.most or entry.completion_tokens or 1
            yield _characters(call), entry.prompt_tokens, entry.completion_tokens / allowed, entry.latency


def _answers(ledger: Ledger) -> Iterator[tuple[Entry, ChatRequest]]:
    for _, entry in zip(range(_LEARNT_FROM), ledger.entries(), strict=False):
        yield entry, ChatRequest.parse(entry.request)


def _characters(call: ChatRequest) -> int:
    """Characters of the text that is sent; a picture's are not counted."""
    total = 0
    for message in call.body["messages"]:
        content = message["content"]
        parts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
        total += sum(map(len, parts))
    return total


def all_requests(params: Params, *, require_labels: bool = False) -> Iterator[tuple[Question, bool]]:
    """Every request of the ask and augment steps, and whether it holds a guess instead of a caption.

    Args:
        params: All parameters.
        require_labels: Refuse posts that no model can learn the task from; models are compared on any.

    Raises:
        DataError: The data set cannot be read, or is not annotated for the task.
        ConfigError: A prompt cannot be used.
    """
    dataset = load_dataset(params.data)
    if require_labels:
        require_task_labels(dataset.posts, params.task, params.data.path)
    unlabelled = load_unlabelled(params.data, dataset.posts).posts
    posts = [post for rows in dataset.posts.values() for post in rows] + list(unlabelled)
    captions, guessed = _captions(posts, params)
    for request in build_questions(posts, captions, params.ask, sight(params)):
        worded = request.kind is Kind.MULTIMODALITY and isinstance(request.messages[-1]["content"], str)
        yield request, worded and request.id in guessed
    attempts = list_attempts(
        dataset.posts.get("train", []), params.augment, seed=params.seed, beyond_limit=dataset.beyond_limit
    )
    for attempt in attempts:
        yield attempt.build_question(params.augment), False


def _captions(posts: list[Post], params: Params) -> tuple[Mapping[str, str | None], set[str]]:
    """Captions as the caption step made them or the data set brought them, else a stand-in of usual length."""
    workspace = Workspace()
    rows = workspace.read_unchecked_captions() if workspace.captions.is_file() else []
    made = {row.id: row.caption for row in rows}
    brought = params.caption.backend in ("dataset", "none")
    captions: dict[str, str | None] = {}
    guessed: set[str] = set()
    for post in posts:
        if post.id in made:
            captions[post.id] = made[post.id]
        elif brought:
            captions[post.id] = post.caption if params.caption.backend == "dataset" else None
        elif post.image:
            captions[post.id] = _GUESSED_CAPTION
            guessed.add(post.id)
    return captions, guessed


def _price(row: KindPlan, plan: Plan, request: Question, call: ChatRequest, guessed: set[str]) -> None:
    row.guessed += request.kind is Kind.MULTIMODALITY and request.id in guessed
    pictures = len(call.pictures)
    row.pictures += pictures
    row.prompt_tokens += _characters(call) / plan.rates.characters + pictures * plan.picture_tokens
    row.expected += request.max_tokens * plan.rates.used
    row.most += request.max_tokens
