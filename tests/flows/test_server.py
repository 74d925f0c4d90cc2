"""A Prefect server that cannot be used is refused in a sentence with a remedy, within seconds, for each reason."""

import json
import socket
import time

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from cotpd.errors import ConfigError
from flows import server
from flows.server import open_server, refuse_unusable_server


def refuse(url):
    """Return the refusal of the server at an address."""
    with temporary_settings({PREFECT_API_URL: url}), pytest.raises(ConfigError) as caught:
        refuse_unusable_server()
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "problem", "remedy"),
    [
        (200, '"2.20.3"', "is 2.20.3, older than the client", "Upgrade the server"),
        (200, "<html>The UI, at an address without /api</html>", "is not the address", "it ends in /api"),
        (404, "{}", "is not the address", "it ends in /api"),
        (401, "{}", r"refuses this client \(401\)", "PREFECT_API_AUTH_STRING"),
        (403, "{}", r"refuses this client \(403\)", "PREFECT_API_AUTH_STRING"),
        (503, "{}", "answers with 503", "its database runs"),
    ],
)
def test_an_answer_that_is_of_no_use_is_explained(httpserver, status, body, problem, remedy):
    httpserver.expect_request("/api/admin/version").respond_with_data(body, status)

    refusal = refuse(httpserver.url_for("/api"))

    assert pytest.raises(ConfigError, match=problem).matches(refusal)
    assert remedy in refusal.remedy


@pytest.mark.parametrize("address", ["nonsense", "ftp://127.0.0.1/api"])
def test_what_is_no_address_is_explained(address):
    refusal = refuse(address)

    assert "is not the address of a Prefect server" in refusal.problem


def test_a_server_that_is_gone_is_named():
    refusal = refuse("http://127.0.0.1:9/api")

    assert refusal.problem == "no Prefect server answers at http://127.0.0.1:9/api"
    assert "prefect server start" in refusal.remedy


def test_a_server_that_keeps_silent_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(server, "_SECONDS", 0.2)
    begin = time.monotonic()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        refusal = refuse(f"http://127.0.0.1:{silent.getsockname()[1]}/api")

    assert "does not answer within 0.2 seconds" in refusal.problem
    assert time.monotonic() - begin < 60


def test_a_server_that_can_be_used_is_opened(httpserver):
    httpserver.expect_request("/api/admin/version").respond_with_data(json.dumps("99.0.0"))
    httpserver.expect_request("/api/health").respond_with_data("true")

    with temporary_settings({PREFECT_API_URL: httpserver.url_for("/api")}), open_server() as client:
        fault = client.api_healthcheck()

    assert fault is None
