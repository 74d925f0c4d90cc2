"""One chat request to an OpenAI-compatible server, tried until it is answered or cannot be.

The openai package brings connections and its error types. Its own retries are off, because here a pause that the
server asks for holds back every request, and a fault that no retry mends (no quota, a wrong key, an unknown model)
ends the run at once instead of once a post.
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
from cotpd.llm.completion import read_completion
from cotpd.llm.outcome import UnansweredError
from cotpd.llm.params import LlmParams
from cotpd.llm.secret_mask import SecretMask
from cotpd.llm.server_address import check_address
from cotpd.llm.spending.budget import RAISE_LIMIT
from cotpd.llm.transports.connection import Connection
from cotpd.llm.transports.in_flight import InFlight, finish_within
from cotpd.llm.transports.rate_limit import RateLimit, read_retry_after
from cotpd.llm.transports.response_body import ENCODINGS, OversizedError, build_async_hook
from cotpd.llm.transports.server_errors import (
    TransientError,
    build_refusal,
    describe_broken_answer,
    explain_fatal_status,
    is_transient_status,
    quote,
    read_error_message,
)

if TYPE_CHECKING:
    import httpx2
    import openai

T = TypeVar("T")

_FIRST_PAUSE = 0.5  # seconds; doubles with every try
_LONGEST_PAUSE = 30.0
_POOL_SIZE = (
    8  # connections: a request looks at all of its pool, so several small pools are faster than a large one
)
_GATEWAY_TIMEOUTS = {504, 524}  # the model behind the gateway may have answered, and be billed
_CHECK_LENGTH = "Look at what answers at llm.base_url; llm.max_answer_bytes allows longer answers."


class NoServerError(Exception):
    """Nothing accepts connections at the address, and nothing has so far."""


class ChatClient:
    """Sends chat requests to one server; an async context manager.

    Args:
        params: The server and how to ask; ``llm.retries`` counts the tries after the first.

    Raises:
        ConfigError: ``llm.base_url`` is not an address.
    """

    def __init__(self, params: LlmParams) -> None:
        self._params = params
        self._address = check_address(params.base_url)
        self._connection: Connection | None = None
        self._mask = SecretMask.from_params(params)
        self._pools: list[openai.AsyncOpenAI] = []
        self._next_pool = 0
        self._was_reached = False
        self._in_flight = InFlight()
        self.rate_limit = RateLimit(params.requests_per_minute, params.tokens_per_minute)

    def connect(self) -> Connection:
        """Check how the server is reached; raises what :class:`Connection` raises."""
        self._connection = Connection(self._params)
        return self._connection

    async def __aenter__(self) -> Self:
        connection = self.connect()
        for _ in range(math.ceil(self._params.concurrency / _POOL_SIZE)):
            hooks = {"response": [build_async_hook(self._params.max_answer_bytes)]}
            pool = connection.open_async(headers={"Accept-Encoding": ENCODINGS}, event_hooks=hooks)
            self._pools.append(pool)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._in_flight.drain(interrupted=kind is not None and not issubclass(kind, Exception))
        finally:
            for pool in self._pools:
                await pool.close()

    async def complete(
        self,
        body: dict[str, Any],
        record: Callable[[str, float], Awaitable[T]],
        tokens: float = 0.0,
        count_lost_try: Callable[[], str] = str,
    ) -> T:
        """Send a chat request and return what ``record`` returns for its answer.

        Args:
            body: The request's JSON body.
            record: Receives the raw answer and its seconds, also after the caller was cancelled.
            tokens: The most tokens that request and answer can take, for the rate limit.
            count_lost_try: Called after each try that may be billed and brought no answer; returns why there must
                be no further try, or an empty string.

        Raises:
            UnansweredError: This request cannot be answered.
            NoServerError: The first connection was refused.
            LlmError: No request of this run can be answered: key, quota, model or address is wrong.
        """
        for attempt in range(self._params.retries + 1):
            await self.rate_limit.wait_for_slot(tokens)
            try:
                return await self._in_flight.wait_for(self._exchange(body, record))
            except OversizedError as error:
                count_lost_try()
                raise UnansweredError(str(error), _CHECK_LENGTH, transient=False) from None
            except TransientError as error:
                fault = error
            if fault.billed and (reason := count_lost_try()):
                raise UnansweredError(f"{fault}; not asked again: {reason}", RAISE_LIMIT, transient=False)
            if attempt < self._params.retries:
                await self._pause(attempt, fault.retry_after)
        tries = f"{self._params.retries + 1} tries"
        raise UnansweredError(f"{fault} ({tries})", "Run again: what was answered is kept.", transient=True)

    async def _exchange(self, body: dict[str, Any], record: Callable[[str, float], Awaitable[T]]) -> T:
        """Send one try and record its answer."""
        started = time.monotonic()
        raw = await self._try_once(body)
        return await record(raw, time.monotonic() - started)

    async def _try_once(self, body: dict[str, Any]) -> str:
        """Return the raw answer of one try, checked to be a whole completion, without secrets."""
        import openai  # noqa: PLC0415  heavy, and not for every command

        try:
            response = await self._post(body)
        except openai.APIStatusError as error:
            self._was_reached = True
            self.rate_limit.obey_headers(error.response.headers)
            raise self.explain_status(error) from None
        except (openai.APITimeoutError, TimeoutError):
            raise TransientError(f"no answer within {self._params.timeout:g} s", billed=True) from None
        except openai.APIConnectionError as error:
            raise self._explain_lost_connection(error) from None
        except (ValueError, LookupError, AssertionError) as error:  # the body is not in the encoding it claims
            reason = f"an answer that cannot be read: {self.scrub(repr(error))}"
            raise TransientError(reason, billed=True) from None
        self._was_reached = True
        self.rate_limit.obey_headers(response.headers)
        # JSON is UTF-8, but a server may name another encoding in a header, by which httpx would decode it
        return self._check_answer(response.content.decode("utf-8", "replace"))

    async def _post(self, body: dict[str, Any]) -> "httpx2.Response":
        import httpx2  # noqa: PLC0415  heavy, and not for every command

        # The package's own limit is the time between two bytes: a server that drips bytes would outlast it.
        post = self._take_pool().post("/chat/completions", body=body, cast_to=httpx2.Response)
        return await finish_within(self._params.timeout, post)

    def _take_pool(self) -> "openai.AsyncOpenAI":
        """Return the pools one after the other."""
        self._next_pool = (self._next_pool + 1) % len(self._pools)
        return self._pools[self._next_pool]

    def _explain_lost_connection(self, error: "openai.APIConnectionError") -> Exception:
        import httpx2  # noqa: PLC0415  heavy, and not for every command

        cause = error.__cause__
        refused = isinstance(cause, httpx2.ConnectError)
        if not self._was_reached:
            fatal = self._connection.explain(cause) if self._connection else None
            if fatal:
                return LlmError(self.scrub(fatal.problem), fatal.remedy)
            if refused:
                return NoServerError(self.scrub(str(cause)))
        return TransientError(f"connection lost: {self.scrub(str(cause or error))}", billed=not refused)

    def _check_answer(self, raw: str) -> str:
        raw = self.mask(raw)
        try:
            completion = read_completion(raw)
        except (ValueError, AttributeError, TypeError) as error:
            raise TransientError(f"an answer that cannot be read ({error}): {raw[:80]!r}", billed=True) from None
        if classify_stop(completion.finish_reason) is Stop.FAILED:
            raise TransientError(describe_broken_answer(completion.finish_reason), billed=True)
        return raw

    def explain_status(self, error: "openai.APIStatusError") -> Exception:
        """Return what a status means: a TransientError, an UnansweredError, or an LlmError that ends the run."""
        status, whole_message = error.status_code, read_error_message(error)
        message = self.scrub(whole_message)
        if self._connection and self._connection.is_from_proxy(error.response):
            if is_transient_status(status):
                return TransientError(f"status {status} of {self._connection.proxy}: {message}")
            return self._connection.explain_proxy(str(status))
        if self._connection and (mismatch := self._connection.explain_mismatch(error)):
            return mismatch
        server = f"the server at {self._address}"
        if 300 <= status < 400:
            target = self.scrub(error.response.headers.get("location", "an address that it does not name"))
            return LlmError(f"{server} redirects to {target}", "Set llm.base_url to where the requests belong.")
        fatal = explain_fatal_status(
            error, message, server=server, key_variable=self._params.api_key_env, model=self._params.model
        )
        if fatal:
            return fatal
        if is_transient_status(status):
            pause = read_retry_after(error.response.headers)
            return TransientError(f"status {status}: {message}", pause, billed=status in _GATEWAY_TIMEOUTS)
        return build_refusal(status, message, message=whole_message, field=error.param)

    async def _pause(self, attempt: int, requested: float | None) -> None:
        """Wait before the next try; ``requested`` are the seconds that the server asks for."""
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt) * random.uniform(0.5, 1.0)
        if requested:
            self.rate_limit.pause_all(requested)
        if (
            requested is None or requested < pause
        ):  # a server that asks for no pause would be asked in a tight loop
            await asyncio.sleep(pause)

    def scrub(self, text: str) -> str:
        """Return a server's text for a message: shortened, without secrets."""
        return quote(self._mask.scrub(text))

    def mask(self, raw: str) -> str:
        """Return a body without secrets: a server may echo the key that it was sent."""
        return self._mask.mask_body(raw)
