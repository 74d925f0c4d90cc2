"""Ports for servers that a test starts as programs, which cannot be told to take any free one."""

import os
import socket
from contextlib import suppress

_FIRST, _END = 20_000, 32_768  # the system gives clients and servers without a wish the ports from 32768 on
_SHARE = 100  # ports of a process, so that test processes side by side do not meet
_given: set[int] = set()


def find_port() -> int:
    """Return a port on loopback that is free, that no client gets, and that this process has not been given before.

    A port that the system gave and took back is soon given again: to the next one who asks, or to a client that
    waits for the very server.
    """
    shares = (_END - _FIRST) // _SHARE
    first = _FIRST + os.getpid() % shares * _SHARE
    for port in (*range(first, _END), *range(_FIRST, first)):
        if port not in _given:
            _given.add(port)
            with socket.socket() as free, suppress(OSError):
                free.bind(("127.0.0.1", port))
                return port
    raise OSError(f"no port from {_FIRST} to {_END} is free")
