"""One request to an OpenAI-compatible server, tried until it is answered or beyond hope.

The openai package brings connections and its error types; its own retries are off, because here a pause that
the server asks for holds back every request in flight, and a fault that no retry mends (no quota, a wrong
key, an unknown model) ends the run at once instead of once a post.
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from cotpd.completions import Stop, classify_stop
from cotpd.errors import LlmError
from cotpd.llm.chat_request import check_address, read_completion
from cotpd.llm.params import LlmParams
from cotpd.llm.secret_mask import SecretMask
from cotpd.llm.spending.budget import RAISE
from cotpd.llm.transports.connection import Connection
from cotpd.llm.transports.in_flight import InFlight, finish_within
from cotpd.llm.transports.rate_limit import RateLimit, read_retry_after
from cotpd.llm.transports.response_body import ENCODINGS, OversizedError, bounded

if TYPE_CHECKING:
    import httpx2
    import openai

T = TypeVar("T")

_FIRST_PAUSE = 0.5  # seconds; doubles with every try
_LONGEST_PAUSE = 30.0
_POOL = 8  # connections: each request looks at all of its pool's, so a few small pools cost less than a large one
_PASSING = {408, 409, 425, 429}  # statuses below 500 that a later try may mend
_GAVE_UP_WAITING = {504, 524}  # a gateway did: the model behind it may have answered, and be paid for
_MOST_QUOTED = 300  # characters of a server's own words in a message


_LOOK = "The server does not take this request: look at the post, the prompt and the parameters."
_LONGER = "Look at what answers at llm.base_url; llm.max_answer_bytes allows longer answers."
_REMEDIES = {  # the first that a server's words name
    "response_format": "Set llm.structured: false, and the prompt's schema is not sent.",
    "max_completion_tokens": "Set llm.length_key: max_completion_tokens.",
    "temperature": "Set llm.temperature: null, and no temperature is sent.",
    "seed": "Set llm.seed: null, and no seed is sent.",
}


class UnansweredError(Exception):
    """One request has no answer, after all tries.

    ``passing``: the server was at fault, not the request. ``refused``: the field that the server does not take.
    """

    def __init__(self, reason: str, remedy: str, *, passing: bool, refused: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.passing = passing
        self.refused = refused


def passes(status: int) -> bool:
    """Whether a later try may mend what this status stands for."""
    return status in _PASSING or status >= 500


def refusal(status: int, said: str, *, whole: str | None = None, field: str | None = None) -> UnansweredError:
    """A request that the server does not take, with the remedy if its words name the field.

    Args:
        status: Of the answer.
        said: Its words, as far as they are quoted.
        whole: All of them.
        field: That the server says it is about.
    """
    named = [part for part in _REMEDIES if part == field] or [
        part for part in _REMEDIES if part in (whole or said)
    ]
    refused = named[0] if named else ""
    remedy = _REMEDIES.get(refused, _LOOK)
    return UnansweredError(f"status {status}: {said}", remedy, passing=False, refused=refused)


class NoServerError(Exception):
    """Nothing accepts connections at the address, and nothing has so far."""


class Client:
    """Asks one server; an async context manager. ``llm.retries`` counts the tries after the first."""

    def __init__(self, params: LlmParams) -> None:
        self._params = params
        self._address = check_address(params.base_url)
        self._connection: Connection | None = None
        self._mask = SecretMask.from_params(params)
        self._apis: list[openai.AsyncOpenAI] = []
        self._next = 0
        self._reached = False
        self._in_flight = InFlight()
        self.pace = RateLimit(params.requests_per_minute, params.tokens_per_minute)

    def connect(self) -> Connection:
        """Check how the server is reached; see :class:`Connection` for what it raises."""
        self._connection = Connection(self._params)
        return self._connection

    async def __aenter__(self) -> Self:
        connection = self.connect()
        for _ in range(math.ceil(self._params.concurrency / _POOL)):
            hook = bounded(self._params.max_answer_bytes)
            api = connection.open_async(headers={"Accept-Encoding": ENCODINGS}, event_hooks={"response": [hook]})
            self._apis.append(api)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._in_flight.drain(interrupted=kind is not None and not issubclass(kind, Exception))
        finally:
            for api in self._apis:
                await api.close()

    async def complete(
        self,
        body: dict[str, Any],
        keep: Callable[[str, float], Awaitable[T]],
        tokens: float = 0.0,
        lost: Callable[[], str] = str,
    ) -> T:
        """Ask for a chat completion and return what ``keep`` makes of it.

        Args:
            body: The request.
            keep: Takes the raw answer and its seconds, also after the caller was cancelled.
            tokens: What request and answer come to, for the pace.
            lost: Called after each try that was sent and may be billed, but brought no answer; returns why there
                must be no other, or nothing.

        Raises:
            UnansweredError: This request cannot be answered.
            NoServerError: The first connection was refused.
            LlmError: No request of this run can be answered: key, quota, model or address is wrong.
        """
        for attempt in range(self._params.retries + 1):
            await self.pace.wait_for_slot(tokens)
            try:
                return await self._in_flight.wait_for(self._exchange(body, keep))
            except OversizedError as error:
                lost()
                raise UnansweredError(str(error), _LONGER, passing=False) from None
            except _PassingError as fault:
                last = fault
            if last.billed and (reason := lost()):
                raise UnansweredError(f"{last}; not asked again: {reason}", RAISE, passing=False)
            if attempt < self._params.retries:
                await self._pause(attempt, last.retry_after)
        tries = f"{self._params.retries + 1} tries"
        raise UnansweredError(f"{last} ({tries})", "Run again: what was answered is kept.", passing=True)

    async def _exchange(self, body: dict[str, Any], keep: Callable[[str, float], Awaitable[T]]) -> T:
        """One try, and the keeping of its answer."""
        began = time.monotonic()
        raw = await self._try_once(body)
        return await keep(raw, time.monotonic() - began)

    async def _try_once(self, body: dict[str, Any]) -> str:
        import httpx2
        import openai

        try:
            response = await self._post(body)
        except openai.APIStatusError as error:
            self._reached = True
            self.pace.obey_headers(error.response.headers)
            raise self.judge(error) from None
        except (openai.APITimeoutError, TimeoutError):
            raise _PassingError(f"no answer within {self._params.timeout:g} s", billed=True) from None
        except openai.APIConnectionError as error:
            if self._connection and (end := self._connection.explain(error.__cause__)) and not self._reached:
                raise LlmError(self.scrub(end.problem), end.remedy) from None
            if isinstance(error.__cause__, httpx2.ConnectError) and not self._reached:
                raise NoServerError(self.scrub(str(error.__cause__))) from None
            unsent = isinstance(error.__cause__, httpx2.ConnectError)
            said = self.scrub(str(error.__cause__ or error))
            raise _PassingError(f"connection lost: {said}", billed=not unsent) from None
        except (ValueError, LookupError, AssertionError) as error:  # a fault in an encoding that is none
            said = self.scrub(repr(error))
            raise _PassingError(f"an answer that cannot be read: {said}", billed=True) from None
        self._reached = True
        self.pace.obey_headers(response.headers)
        raw = response.content.decode("utf-8", "replace")  # as JSON is, whatever a header says
        return self._checked(raw)

    async def _post(self, body: dict[str, Any]) -> "httpx2.Response":
        import httpx2

        # the package's own limit is one between two bytes: an answer that drips would outlast it
        post = self._api().post("/chat/completions", body=body, cast_to=httpx2.Response)
        return await finish_within(self._params.timeout, post)

    def _api(self) -> "openai.AsyncOpenAI":
        """The pools in turn."""
        self._next = (self._next + 1) % len(self._apis)
        return self._apis[self._next]

    def _checked(self, raw: str) -> str:
        raw = self.mask(raw)
        try:
            completion = read_completion(raw)
        except (ValueError, AttributeError, TypeError) as error:
            raise _PassingError(f"an answer that cannot be read ({error}): {raw[:80]!r}", billed=True) from None
        if classify_stop(completion.finish_reason) is Stop.FAILED:
            raise _PassingError(broken_off(completion.finish_reason), billed=True)
        return raw

    def judge(self, error: "openai.APIStatusError") -> Exception:
        """What a status means: a fault that passes, a request that is refused, or the end of the run."""
        status, whole = error.status_code, _words(error)
        said = self.scrub(whole)
        at = f"the server at {self._address}"
        connection = self._connection
        if connection and connection.is_from_proxy(error.response):
            if passes(status):
                return _PassingError(f"status {status} of {connection.proxy}: {said}")
            return connection.explain_proxy(str(status))
        if connection and (end := connection.explain_mismatch(error)):
            return end
        if status in (401, 403):  # its words are not quoted: they may hold pieces of the key
            source = self._params.api_key_env
            remedy = f"Export a valid one in {source}." if source else "Name its variable under api_key_env."
            return LlmError(f"{at} refuses the API key ({status})", remedy)
        if 300 <= status < 400:
            target = self.scrub(error.response.headers.get("location", "an address that it does not name"))
            return LlmError(f"{at} redirects to {target}", "Set llm.base_url to where the requests belong.")
        if status == 402 or "insufficient_quota" in (error.code, error.type):
            return LlmError(
                f"{at} says that the quota is used up", "Add credit; the answers so far are in the ledger."
            )
        if status == 404:
            return LlmError(
                f"{at} answers 404: {said}",
                f"Check llm.model ({self._params.model}) and llm.base_url, which mostly ends in /v1.",
            )
        if passes(status):
            wait = read_retry_after(error.response.headers)
            return _PassingError(f"status {status}: {said}", wait, billed=status in _GAVE_UP_WAITING)
        return refusal(status, said, whole=whole, field=error.param)

    async def _pause(self, attempt: int, wait: float | None) -> None:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt) * random.uniform(0.5, 1.0)
        if wait:
            self.pace.pause_all(wait)
        if wait is None or wait < pause:  # a server that asks for no wait at all is not believed
            await asyncio.sleep(pause)

    def scrub(self, text: str) -> str:
        """A server's words as they are quoted, without the key."""
        return quoted(self._mask.scrub(text))

    def mask(self, raw: str) -> str:
        """A body without the key: a server may echo what it was sent."""
        return self._mask.mask_body(raw)


def broken_off(finish_reason: str) -> str:
    """What is said of an answer that its server gave up in the middle."""
    return f"the server broke off its answer (finish_reason {quoted(finish_reason)})"


def quoted(text: str) -> str:
    """A server's words on one line, not too many of them, and none that could steer a terminal."""
    text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return text if len(text) <= _MOST_QUOTED else text[:_MOST_QUOTED] + " ..."


def _words(error: "openai.APIStatusError") -> str:
    """What a server says of a fault: the message where OpenAI puts one, else all that it sent.

    The openai package writes the status before a message, and alone where it finds none.
    """
    said = error.message.removeprefix(f"Error code: {error.status_code}").removeprefix(" - ")
    return said or error.response.text.strip() or "nothing else"


class _PassingError(Exception):
    """A fault that a later try may mend.

    ``retry_after``: seconds, if the server named them. ``billed``: the server may have answered all the same.
    """

    def __init__(self, reason: str, retry_after: float | None = None, *, billed: bool = False) -> None:
        super().__init__(reason)
        self.retry_after, self.billed = retry_after, billed
