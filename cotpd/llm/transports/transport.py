"""The protocol of a transport, which carries a session's requests to a server and its answers back."""

from typing import Protocol


class Transport(Protocol):
    """Carries the requests of one :class:`cotpd.llm.session.AskingSession`; it touches no table by itself."""

    def answer_all(self) -> None:
        """Draw requests from the session until none is left, and record or fail each of them.

        Raises:
            LlmError: No further request can be answered: no server, a wrong key, no quota, only failures.
        """
