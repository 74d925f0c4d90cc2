"""A server's Batch API: upload, create, find, look up, download, with its faults as ours.

Trade-off: the openai package's own retries serve every call that can be repeated. Creating a job cannot, so after
a fault that leaves its outcome open, the server's list is searched for our token before it is tried again.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self, TypeVar

from cotpd.errors import LlmError
from cotpd.llm.params import LlmParams
from cotpd.llm.transports.batch_lines import ResultLine, read_lines, save_results
from cotpd.llm.transports.batch_queue import is_about_room
from cotpd.llm.transports.chat_client import ChatClient
from cotpd.llm.transports.connection import Connection
from cotpd.llm.transports.response_body import ENCODINGS, OversizedError, build_hook

if TYPE_CHECKING:
    import openai
    from openai.types import Batch

T = TypeVar("T")
TOKEN = "cotpd"  # our token's name in a job's metadata
_PAUSE = 1.0  # seconds after a creation whose outcome is open, before the job is looked for
_MAX_BYTES = 10_000_000  # of an answer; a list of a hundred jobs has some 100 kB
_MAX_LISTED = 1000  # jobs that are searched for a token
_ROOM = "Wait until the server's other batches have ended, or raise its limit there."
_RUN_AGAIN = "Run again: jobs that were submitted are collected, not submitted again."
_NO_API = "Does the server of llm.base_url have the Batch API? Run again then: what was submitted is collected."


class QueueFullError(LlmError):
    """The server's queue has no room for a job."""


class _OpenOutcomeError(Exception):
    """The server may have carried out a call whose answer did not arrive."""


class BatchServer:
    """A server with the Batch API; a context manager.

    Args:
        params: The server and how to ask.
    """

    def __init__(self, params: LlmParams) -> None:
        self._params = params
        self._client = ChatClient(params)
        self._connection: Connection
        self._api: openai.OpenAI
        self._api_without_retries: openai.OpenAI
        self._is_streaming = False  # while a result file is fetched, whose size has another limit

    def __enter__(self) -> Self:
        self._connection = self._client.connect()
        hooks = {"response": [build_hook(_MAX_BYTES, lambda: self._is_streaming)]}
        http = {"headers": {"Accept-Encoding": ENCODINGS}, "event_hooks": hooks}
        self._api = self._connection.open_sync(self._params.retries, **http)
        self._api_without_retries = self._connection.open_sync(0, **http)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.close()
        self._api_without_retries.close()

    def scrub(self, text: str) -> str:
        """Return a server's text for a message: shortened, without secrets."""
        return self._client.scrub(text)

    def submit(self, file: Path, token: str) -> str:
        """Upload requests and create one job of them, once; returns its id.

        Raises:
            QueueFullError: The server has no room for it.
            LlmError: The server cannot be reached, or refuses.
        """
        uploaded = self._explain_errors(lambda: _read_id(self._api.files.create(file=file, purpose="batch")))
        tries = self._params.retries + 1
        for attempt in range(tries):
            try:
                return self._explain_errors(lambda: self._create(uploaded, token), repeatable=attempt + 1 == tries)
            except _OpenOutcomeError:
                time.sleep(_PAUSE)
                if (job_id := self.find_job(token)) is not None:
                    return job_id
        raise AssertionError("the last try returns or raises")

    def find_job(self, token: str) -> str | None:
        """Return the id of the job that carries a token; None if none of the latest 1,000 jobs does.

        Raises:
            LlmError: The server cannot be reached, or its list cannot be read.
        """

        def search() -> str | None:
            page = self._api.batches.list(limit=100)
            _require(isinstance(page.data, list), page)
            for number, job in enumerate(page):
                if (job.metadata or {}).get(TOKEN) == token:
                    return job.id
                if number == _MAX_LISTED:
                    break
            return None

        return self._explain_errors(search)

    def look_up(self, job_id: str) -> "Batch | None":
        """Return a job's state; None if the server does not know it (any more, or for this key)."""

        def retrieve() -> "Batch":
            job = self._api.batches.retrieve(job_id)
            _require(isinstance(getattr(job, "status", None), str), job)
            return job

        return self._call_unless_missing(retrieve)

    def download_lines(self, file: str) -> Iterator[ResultLine] | None:
        """Download a result file and return its lines; None if the server no longer has it."""

        def download() -> IO[bytes]:
            import httpx2  # noqa: PLC0415  heavy, and not for every command
            import openai  # noqa: PLC0415  heavy, and not for every command

            response: Any = self._api.get(
                f"/files/{file}/content",
                cast_to=httpx2.Response,
                # some servers keep results in a store of their own; the connection keeps the key from it
                options={"follow_redirects": True},
                stream=True,
                stream_cls=openai.Stream[object],
            )
            return save_results(response)

        self._is_streaming = True
        try:
            results = self._call_unless_missing(download)
        finally:
            self._is_streaming = False
        if results is None:
            return None
        return read_lines(results, self._params.max_answer_bytes, self._client.mask)

    def _call_unless_missing(self, call: Callable[[], T]) -> T | None:
        import openai  # noqa: PLC0415  heavy, and not for every command

        def call_and_catch() -> T | None:
            try:
                return call()
            except openai.NotFoundError:
                return None

        return self._explain_errors(call_and_catch)

    def _create(self, file: str, token: str) -> str:
        job = self._api_without_retries.batches.create(
            input_file_id=file,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={TOKEN: token},
        )
        return _read_id(job)

    def _explain_errors(self, call: Callable[[], T], *, repeatable: bool = True) -> T:
        """Call the server, and raise its faults as ours.

        Args:
            call: The call.
            repeatable: False for a call that must not happen twice: a fault that leaves open whether it has
                happened then raises _OpenOutcomeError.

        Raises:
            QueueFullError: The server has no room for a job.
            LlmError: The server cannot be reached, refuses, or sends what cannot be read.
        """
        import httpx2  # noqa: PLC0415  heavy, and not for every command
        import openai  # noqa: PLC0415  heavy, and not for every command

        try:
            return call()
        except httpx2.TransportError as error:  # the connection broke while a result file was read
            raise self._build_error(str(error) or repr(error), _RUN_AGAIN) from None
        except openai.APIStatusError as error:
            raise self._explain_status(error, repeatable=repeatable) from None
        except openai.APIConnectionError as error:
            if fatal := self._connection.explain(error.__cause__):
                raise LlmError(self.scrub(fatal.problem), fatal.remedy) from None
            if not repeatable:
                raise _OpenOutcomeError from None
            raise self._build_error(str(error.__cause__ or error), _RUN_AGAIN) from None
        except (OversizedError, ValueError, TypeError, AttributeError, LookupError, AssertionError) as error:
            # the openai package does not check an answer: a web page instead of one fails anywhere inside it
            if not repeatable:
                raise _OpenOutcomeError from None
            problem = f"an answer that cannot be read: {str(error) or repr(error)}"
            raise self._build_error(problem, _NO_API) from None

    def _explain_status(self, error: "openai.APIStatusError", *, repeatable: bool) -> Exception:
        if is_about_room(error.code, error.message):
            return QueueFullError(self.scrub(error.message), _ROOM)
        if not repeatable and (error.status_code >= 500 or error.status_code in (408, 429)):
            return _OpenOutcomeError()
        explained = self._client.explain_status(error)
        return explained if isinstance(explained, LlmError) else LlmError(f"batch: {explained}", _RUN_AGAIN)

    def _build_error(self, message: str, remedy: str) -> LlmError:
        return LlmError(f"{self._params.base_url}: {self.scrub(message)}", remedy)


def _read_id(answer: object) -> str:
    answer_id = getattr(answer, "id", None)
    if not isinstance(answer_id, str) or not answer_id:
        raise ValueError(repr(answer))
    return answer_id


def _require(condition: bool, answer: object) -> None:
    """Raise ValueError, with the answer, if a condition does not hold."""
    if not condition:
        raise ValueError(repr(answer))
