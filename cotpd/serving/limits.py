"""The bounds of a server on sizes, queues and times; the options of `cotpd serve`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The bounds of one server; each request beyond them is refused with a sentence.

    Attributes:
        body_bytes: The most bytes of a request's body; more is 413.
        texts: The most texts of a request; more is 422.
        characters: The most characters of a text; more is 422.
        queued_texts: The most texts that wait for the model; a request beyond them is 503.
        batch_texts: The most texts that the model reads at once.
        batch_milliseconds: The longest that texts wait for others to share their batch.
        rate: Requests a second from one client, and twice as many in a burst; more is 429. 0 sets no limit.
        read_seconds: For a client to send a request's headers, and again for its body.
        write_seconds: For a client to take a part of an answer.
        stop_seconds: For requests in flight to be answered after SIGTERM.
    """

    body_bytes: int = 1 << 20
    texts: int = 1000
    characters: int = 10_000
    queued_texts: int = 4000
    batch_texts: int = 32
    batch_milliseconds: float = 20.0
    rate: float = 0.0
    read_seconds: float = 10.0
    write_seconds: float = 30.0
    stop_seconds: int = 30
