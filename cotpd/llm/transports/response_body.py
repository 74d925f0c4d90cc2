"""The body of a server's answer: read whole, decoded, and never beyond a size.

Trade-off: bodies are decoded here and not by httpx, whose decoders have no limit: a kilobyte of gzip can be a
megabyte of text, which would be in memory before its size could be checked. An answer that has arrived to its
last bracket counts even if the connection breaks or times out before the server closes it: it is paid for.
"""

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

_MAX_REFUSAL_BYTES = 64_000  # bytes of an answer with an error status
_PACKED = "gzip", "x-gzip", "deflate"
ENCODINGS = "gzip, deflate"  # for the header Accept-Encoding


class OversizedError(Exception):
    """A body is longer than allowed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"an answer of more than {limit:,} bytes")


class BodyReader:
    """Collects and decodes a body as it arrives.

    Args:
        encoding: The header Content-Encoding; empty for none.
        limit: The most bytes, decoded.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self.content = bytearray()
        self._limit = limit
        self._encoding = encoding.strip().lower()
        self._decoder = zlib.decompressobj(wbits=47) if self._encoding in _PACKED else None

    def feed(self, chunk: bytes) -> None:
        """Add the next bytes from the wire.

        Raises:
            OversizedError: The body exceeds the limit.
            ValueError: The bytes are not in the encoding that the header names.
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
        """Whether the body is a complete JSON object."""
        try:
            return isinstance(json.loads(self.content), dict)
        except (ValueError, RecursionError):
            return False


def build_async_hook(limit: int) -> "Callable[[httpx2.Response], Awaitable[None]]":
    """Return a response hook for an asynchronous httpx client that reads each body up to a limit of bytes."""

    async def read(response: "httpx2.Response") -> None:
        import httpx2  # noqa: PLC0415  heavy, and not for every command

        stream = response.stream
        try:
            body = _build_reader(response, limit)
            try:
                async for chunk in stream:  # type: ignore[union-attr]
                    body.feed(chunk)
            except (httpx2.TransportError, asyncio.CancelledError):
                if not (response.is_success and body.is_whole()):
                    raise
            except (OversizedError, ValueError):
                if response.is_success:  # the status of a refusal says enough
                    raise
            if _has_unread_bytes(stream):  # they would be read as the answer to the connection's next request
                await response.extensions["network_stream"].aclose()
        finally:
            await stream.aclose()  # type: ignore[union-attr]
        _replace_body(response, bytes(body.content))

    return read


def build_hook(limit: int, is_streamed: Callable[[], bool]) -> "Callable[[httpx2.Response], None]":
    """Return such a hook for a synchronous client; while ``is_streamed``, bodies are left to the caller."""

    def read(response: "httpx2.Response") -> None:
        if response.is_success and is_streamed():
            return
        stream = response.stream
        try:
            body = _build_reader(response, limit)
            for chunk in stream:  # type: ignore[union-attr]
                body.feed(chunk)
        except (OversizedError, ValueError):
            if response.is_success:
                raise
        finally:
            stream.close()  # type: ignore[union-attr]
        _replace_body(response, bytes(body.content))

    return read


def _build_reader(response: "httpx2.Response", limit: int) -> BodyReader:
    """Return the reader of a body; a refusal is read only as far as its message can be of use."""
    limit = limit if response.is_success else min(limit, _MAX_REFUSAL_BYTES)
    return BodyReader(response.headers.get("content-encoding", ""), limit)


def _replace_body(response: "httpx2.Response", content: bytes) -> None:
    import httpx2  # noqa: PLC0415  heavy, and not for every command

    for name in ("content-encoding", "content-length", "transfer-encoding"):
        response.headers.pop(name, None)
    response.stream = httpx2.ByteStream(content)


def _has_unread_bytes(stream: object) -> bool:
    """Whether bytes follow the answer on its connection: the server sent it twice, or a wrong length.

    httpcore would begin the next exchange with them, and no public attribute of it shows them.
    """
    for name in ("_stream", "_httpcore_stream", "_stream", "_connection", "_h11_state"):
        stream = getattr(stream, name, None)
    return bool(getattr(stream, "trailing_data", (b"",))[0])
