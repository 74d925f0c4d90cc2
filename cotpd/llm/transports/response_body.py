"""How a server's answers are read: whole, decoded, and never beyond a size.

Trade-off: bodies are decoded here and not by httpx, whose decoders have no bound: a kilobyte of gzip is a megabyte
of text, and memory would hold it before anybody could look. An answer that is there to its last bracket counts,
even where the connection breaks or the time is up before the server says that it is done: it is paid for.
"""

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

_MOST_REFUSAL = 64_000  # bytes of an answer with an error status
_PACKED = "gzip", "x-gzip", "deflate"
ENCODINGS = "gzip, deflate"  # what servers are told that they may send


class OversizedError(Exception):
    """A body is longer than allowed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"an answer of more than {limit:,} bytes")


class BodyReader:
    """A body as it arrives, decoded.

    Args:
        encoding: The header Content-Encoding; empty for none.
        limit: Bytes, decoded, that it may have.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self.content = bytearray()
        self._limit = limit
        self._encoding = encoding.strip().lower()
        self._decoder = zlib.decompressobj(wbits=47) if self._encoding in _PACKED else None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes from the wire.

        Raises:
            OversizedError: They make more than is allowed.
            ValueError: They are not in the encoding that the header names.
        """
        if self._decoder is None and self._encoding not in ("", "identity"):
            raise ValueError(f"its encoding is {self._encoding!r}")
        if self._decoder:
            try:
                chunk = self._decoder.decompress(chunk, self._limit - len(self.content) + 1)
            except zlib.error as error:
                raise ValueError(f"it is not {self._encoding}: {error}") from None
        room = self._limit - len(self.content)
        self.content += chunk[:room]
        if len(chunk) > room:
            raise OversizedError(self._limit)

    def is_whole(self) -> bool:
        """Whether this is JSON to the last bracket."""
        try:
            return isinstance(json.loads(self.content), dict)
        except (ValueError, RecursionError):
            return False


def bounded(limit: int) -> "Callable[[httpx2.Response], Awaitable[None]]":
    """A response hook for an asynchronous client of httpx: each body is read up to a limit."""

    async def read(response: "httpx2.Response") -> None:
        import httpx2

        stream = response.stream
        try:
            body = _reader(response, limit)
            try:
                async for chunk in stream:  # type: ignore[union-attr]
                    body.feed(chunk)
            except (httpx2.TransportError, asyncio.CancelledError):
                if not (response.is_success and body.is_whole()):
                    raise
            except (OversizedError, ValueError):
                if response.is_success:  # of a refusal the status says enough
                    raise
            if _has_unread_bytes(stream):  # they would be read as the answer to the connection's next question
                await response.extensions["network_stream"].aclose()
        finally:
            await stream.aclose()  # type: ignore[union-attr]
        _replace(response, bytes(body.content))

    return read


def bounded_in_turn(limit: int, is_streamed: Callable[[], bool]) -> "Callable[[httpx2.Response], None]":
    """The same for a synchronous client; what is streamed is left to the caller."""

    def read(response: "httpx2.Response") -> None:
        if response.is_success and is_streamed():
            return
        stream = response.stream
        try:
            body = _reader(response, limit)
            for chunk in stream:  # type: ignore[union-attr]
                body.feed(chunk)
        except (OversizedError, ValueError):
            if response.is_success:
                raise
        finally:
            stream.close()  # type: ignore[union-attr]
        _replace(response, bytes(body.content))

    return read


def _reader(response: "httpx2.Response", limit: int) -> BodyReader:
    """The reader of a body; of a refusal no more is read than may be of use."""
    return BodyReader(
        response.headers.get("content-encoding", ""), limit if response.is_success else min(limit, _MOST_REFUSAL)
    )


def _replace(response: "httpx2.Response", content: bytes) -> None:
    import httpx2

    for name in ("content-encoding", "content-length", "transfer-encoding"):
        response.headers.pop(name, None)
    response.stream = httpx2.ByteStream(content)


def _has_unread_bytes(stream: object) -> bool:
    """Whether a connection holds bytes behind the answer: a server that sent it twice, or a wrong length.

    httpcore starts the next exchange with them, and says so in none of its public names.
    """
    for name in ("_stream", "_httpcore_stream", "_stream", "_connection", "_h11_state"):
        stream = getattr(stream, name, None)
    return bool(getattr(stream, "trailing_data", (b"",))[0])
