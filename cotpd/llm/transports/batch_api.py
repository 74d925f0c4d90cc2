"""OpenAI's Batch API, as far as it is needed: upload, create, find, look, download; faults as ours.

Trade-off: the openai package's own retries serve whatever can be repeated; creating cannot, so after a doubtful
end the server's list is looked through for our token before it is tried again.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self, TypeVar

from cotpd.errors import LlmError
from cotpd.llm.params import LlmParams
from cotpd.llm.transports.batch_lines import read_lines, save_results
from cotpd.llm.transports.batch_queue import is_about_room
from cotpd.llm.transports.chat_client import Client
from cotpd.llm.transports.connection import Connection
from cotpd.llm.transports.response_body import ENCODINGS, OversizedError, bounded_in_turn

if TYPE_CHECKING:
    import openai
    from openai.types import Batch

T = TypeVar("T")
TOKEN = "cotpd"  # the metadata's name for our token
_PAUSE = 1.0  # seconds before a doubtful creation is looked into
_MOST_BYTES = 10_000_000  # of an answer; a list of a hundred jobs has some 100 kB
_MOST_LISTED = 1000


class BatchServer:
    """A server with the Batch API; a context manager."""

    def __init__(self, params: LlmParams) -> None:
        self._params = params
        self._client = Client(params)
        self._connection: Connection
        self._api: openai.OpenAI
        self._once: openai.OpenAI  # for what must not be repeated unseen
        self._streaming = False  # a result file is being fetched

    def __enter__(self) -> Self:
        self._connection = self._client.connect()
        hooks = {"response": [bounded_in_turn(_MOST_BYTES, lambda: self._streaming)]}
        http = {"headers": {"Accept-Encoding": ENCODINGS}, "event_hooks": hooks}
        self._api = self._connection.open_sync(self._params.retries, **http)
        self._once = self._connection.open_sync(0, **http)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.close()
        self._once.close()

    def scrub(self, text: str) -> str:
        """The server's words as they are quoted, without the key."""
        return self._client.scrub(text)

    def submit(self, file: Path, token: str) -> str:
        """Upload requests and create a job of them; returns its id. It is created once, whatever happens."""
        uploaded = self._explained(lambda: _id(self._api.files.create(file=file, purpose="batch")))
        tries = self._params.retries + 1
        for attempt in range(tries):
            try:
                return self._explained(lambda: self._create(uploaded, token), doubtful=attempt + 1 < tries)
            except _DoubtfulError:
                time.sleep(_PAUSE)
                if (found := self.find(token)) is not None:
                    return found
        raise AssertionError("the last try either ends or raises")

    def find(self, token: str) -> str | None:
        """The id of the job that carries a token, if there is one."""

        def look() -> str | None:
            page = self._api.batches.list(limit=100)
            _expect(isinstance(page.data, list), page)
            for number, job in enumerate(page):
                if (job.metadata or {}).get(TOKEN) == token:
                    return job.id
                if number == _MOST_LISTED:
                    break
            return None

        return self._explained(look)

    def look(self, id: str) -> "Batch | None":
        """How a job stands; None if the server does not know it (any more, or of this key)."""

        def retrieve() -> "Batch":
            job = self._api.batches.retrieve(id)
            _expect(isinstance(getattr(job, "status", None), str), job)
            return job

        return self._known(retrieve)

    def lines(self, file: str) -> Iterator[dict[str, Any] | str] | None:
        """The lines of a result file: objects, and what cannot be read as such as text; None if it is gone."""
        import httpx2
        import openai

        def load() -> IO[bytes]:
            response: Any = self._api.get(
                f"/files/{file}/content",
                cast_to=httpx2.Response,
                # some servers keep results in a store of their own; the key does not go there
                options={"follow_redirects": True},
                stream=True,
                stream_cls=openai.Stream[object],
            )
            return save_results(response)

        self._streaming = True
        try:
            results = self._known(load)
        finally:
            self._streaming = False
        return None if results is None else read_lines(results, self._params.max_answer_bytes, self._client.mask)

    def _known(self, call: Callable[[], T]) -> T | None:
        import openai

        def known() -> T | None:
            try:
                return call()
            except openai.NotFoundError:
                return None

        return self._explained(known)

    def _create(self, file: str, token: str) -> str:
        created = self._once.batches.create(
            input_file_id=file,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={TOKEN: token},
        )
        return _id(created)

    def _explained(self, call: Callable[[], T], *, doubtful: bool = False) -> T:
        """ChatRequest the server; ``doubtful`` tells a fault apart after which nobody knows what was done."""
        import httpx2
        import openai

        try:
            return call()
        except httpx2.TransportError as error:  # while a result file is read
            raise LlmError(
                f"{self._params.base_url}: {self._client.scrub(str(error) or repr(error))}", _AGAIN
            ) from None
        except openai.APIStatusError as error:
            if is_about_room(error.code, error.message):
                raise QueueFullError(self._client.scrub(error.message), _ROOM) from None
            if doubtful and (error.status_code >= 500 or error.status_code in (408, 429)):
                raise _DoubtfulError from None
            judged = self._client.judge(error)
            raise judged if isinstance(judged, LlmError) else LlmError(f"batch: {judged}", _AGAIN) from None
        except openai.APIConnectionError as error:
            if end := self._connection.explain(error.__cause__):
                raise LlmError(self._client.scrub(end.problem), end.remedy) from None
            if doubtful:
                raise _DoubtfulError from None
            said = self._client.scrub(str(error.__cause__ or error))
            raise LlmError(f"{self._params.base_url}: {said}", _AGAIN) from None
        except (OversizedError, ValueError, TypeError, AttributeError, LookupError, AssertionError) as error:
            # a page instead of an answer, an encoding that is none: the package takes what comes for the truth
            if doubtful:
                raise _DoubtfulError from None
            said = self._client.scrub(str(error) or repr(error))
            raise LlmError(f"{self._params.base_url}: an answer that cannot be read: {said}", _ODD) from None


def _id(answer: object) -> str:
    id = getattr(answer, "id", None)
    _expect(isinstance(id, str) and id != "", answer)
    return id


def _expect(fits: bool, answer: object) -> None:
    if not fits:
        raise ValueError(repr(answer))


_ODD = "Does the server of llm.base_url have the Batch API? Run again then: what was submitted is collected."
_AGAIN = "Run again: jobs that were submitted are collected, not submitted again."


_ROOM = "Wait until the server's other batches have ended, or raise its limit there."


class QueueFullError(LlmError):
    """The server's queue has no room for a job."""


class _DoubtfulError(Exception):
    """The server may have done it."""
