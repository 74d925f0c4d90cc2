"""Clients that are slow, large, rude or gone, as bytes on a connection: the server answers or closes, and lives."""

import socket
import time
from contextlib import suppress

import pytest

from cotpd.serving.limits import Limits
from cotpd.serving.service import Service
from tests.serving.fake_predictor import build_version
from tests.serving.running_server import run_server, wait_until

BODY = b'{"text": "see ADA"}'
HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
REQUEST = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


def read_all(connection):
    """Return what the server sends until it closes."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def read_answer(connection):
    """Return one answer of a connection that stays open."""
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"}"):
        part = connection.recv(65536)
        assert part, data
        data += part
    return data


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b"408"),
        (b"POST /v1/pre", b"408"),
        (HEAD, b"408"),
        (HEAD + b"Content-Length: 100\r\n\r\n" + BODY, b"408"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n", b"408"),
    ],
)
def test_a_client_that_stops_in_the_middle_is_let_go(server, sent, status):
    with server.open_connection() as connection:
        connection.sendall(sent)
        began = time.monotonic()
        answer = read_all(connection)

    assert answer.split(b" ")[1] == status
    assert time.monotonic() - began < 15


def test_a_client_that_sends_a_byte_at_a_time_is_let_go(server):
    with server.open_connection() as connection:
        began = time.monotonic()
        with suppress(OSError):
            for byte in REQUEST * 3:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)
            pytest.fail("the server has read all of it")

    assert time.monotonic() - began < 15


def test_slow_clients_keep_no_other_waiting(server):
    slow = [server.open_connection() for _ in range(50)]
    for connection in slow:
        connection.sendall(HEAD)

    assert server.predict({"text": "see ADA"}).status == 200
    for connection in slow:
        connection.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", b"431"),
        (b"no request at all\r\n\r\n", b"400"),
        (b"\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: -1\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", b"400"),
    ],
)
def test_what_is_no_request_is_refused(server, sent, status):
    with server.open_connection() as connection:
        with suppress(OSError):  # it may be refused while it is sent
            connection.sendall(sent)
        answer = read_all(connection)

    assert answer.split(b" ")[1] == status
    assert server.send("/healthz").status == 200


def test_a_body_without_a_length_is_bounded_too(server):
    with server.open_connection() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            connection.sendall(b"%x\r\n" % 50_000 + b"a" * 50_000 + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        answer = read_answer(connection)

    assert answer.startswith(b"HTTP/1.1 413")


def test_a_refusal_is_read_by_a_client_that_still_sends(server):
    with server.open_connection() as connection:
        connection.sendall(HEAD + b"Content-Length: 10000000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"a" * 100_000)
        answer = read_answer(connection)

    assert answer.startswith(b"HTTP/1.1 413")


def test_a_client_that_asks_first_is_refused_before_it_sends(server):
    with server.open_connection() as connection:
        connection.sendall(HEAD + b"Content-Length: 10000000\r\nExpect: 100-continue\r\n\r\n")
        answer = read_all(connection)

    assert b"HTTP/1.1 413" in answer


def test_requests_that_come_together_are_answered_in_order(server):
    with server.open_connection() as connection:
        connection.sendall(REQUEST * 3)
        data = b""
        while data.count(b"predictions") < 3:
            data += connection.recv(65536)

    assert data.count(b"HTTP/1.1 200") == 3


def test_a_client_that_closes_its_half_does_no_harm(server):
    with server.open_connection() as connection:
        connection.sendall(REQUEST)
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)

    assert server.predict({"text": "see ADA"}).status == 200


def test_a_client_that_hangs_up_leaves_no_work_behind():
    version = build_version()
    with run_server(Service(version, Limits())) as server:
        version.predictor.gate.clear()
        with server.open_connection() as first:
            first.sendall(REQUEST)
            wait_until(lambda: version.predictor.batches)
            gone = server.open_connection()
            gone.sendall(REQUEST)
            wait_until(lambda: server.read_metric("cotpd_queued_texts") == 1)
            gone.close()
            wait_until(
                lambda: server.read_metric('cotpd_requests_total{method="POST",route="/v1/predict",status="499"}')
            )
            version.predictor.gate.set()
            read_answer(first)

        wait_until(lambda: server.read_metric("cotpd_queued_texts") == 0)
        assert version.predictor.batches == [1]


def test_a_client_that_goes_in_the_middle_of_its_body_is_no_error_of_the_server(capfd):
    abandoned = 'cotpd_requests_total{method="POST",route="/v1/predict",status="499"}'
    with run_server(Service(build_version(), Limits())) as server:
        with server.open_connection() as connection:
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n" + BODY)
        wait_until(lambda: server.read_metric(abandoned) == 1)

        assert server.read_metric("cotpd_errors_total") == 0
    assert "Traceback" not in capfd.readouterr().err


def test_connections_beyond_the_bound_are_refused(monkeypatch):
    monkeypatch.setattr("cotpd.serving.http_server._MOST_CONNECTIONS", 20)
    with run_server(Service(build_version(), Limits())) as server:
        connections = [server.open_connection() for _ in range(20)]
        refused = server.open_connection()

        assert read_all(refused).startswith(b"HTTP/1.1 503")
        for connection in [*connections, refused]:
            connection.close()
        wait_until(lambda: is_answered(server))


def is_answered(server):
    try:
        return server.predict({"text": "ADA"}).status == 200
    except (OSError, ValueError):
        return False
