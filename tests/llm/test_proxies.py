"""Proxies: which one the environment names for an address, and how one that fails is told."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cotpd.errors import LlmError
from cotpd.llm.ask import ask_all
from cotpd.llm.params import LlmParams
from cotpd.llm.transports.proxies import find_proxy, is_loopback
from tests.chat_server import build_questions
from tests.ports import find_port

ABROAD = "http://llm.example/v1"


pytestmark = pytest.mark.usefixtures("clean_connection_environment")


@pytest.fixture
def proxy() -> Iterator[Callable[..., str]]:
    """Start a proxy that answers everything alike; returns its address."""
    servers = []

    def start(status: int, body: str = "<html>blocked</html>") -> str:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_POST = answer  # noqa: N815 - the name that the server looks for
            do_CONNECT = answer  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def ask_abroad(params: LlmParams, address: str = ABROAD) -> str:
    """Return the message of the error that asking a server on another machine ends in."""
    with pytest.raises(LlmError) as caught:
        ask_all(
            build_questions("a"), params.model_copy(update={"base_url": address, "retries": 0}), progress=False
        )
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:9", "http://", "nonsense://x", "http://127.0.0.1:9"])
@pytest.mark.parametrize("name", ["ALL_PROXY", "HTTP_PROXY", "http_proxy", "all_proxy"])
def test_a_server_on_this_machine_is_asked_past_every_proxy(server, params, monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    assert ask_all(build_questions("a"), params, progress=False).answers[0].text == "A"


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("LOCALHOST.", True),
        ("gpu.localhost", True), ("::ffff:127.0.0.1", True), ("0.0.0.0", True),
        ("10.0.0.1", False), ("localhost.example", False), ("128.0.0.1", False),
    ],
)  # fmt: skip
def test_this_machine_is_told_by_its_names_and_addresses(host, is_local):
    assert is_loopback(host) == is_local


@pytest.mark.parametrize("address", [ABROAD, "https://llm.example/v1"])
@pytest.mark.parametrize("spell", [str.upper, str.lower])
@pytest.mark.parametrize(
    "value",
    [
        "http://",
        "http://proxy:99999",
        "htp://proxy:1",
        "http://pro xy:1",
        "http://me:pw@",
        "socks4://h:1",
        "http://[::1",
    ],
)
def test_a_proxy_that_is_no_address_is_refused_by_its_variable(params, monkeypatch, address, spell, value):
    name = spell(f"{address.split(':')[0]}_proxy")
    monkeypatch.setenv(name, value)

    message = ask_abroad(params, address)

    assert message.startswith(f"{name} names a proxy that is no address")
    assert "pw" not in message


@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "HTTP_PROXY"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_without_its_package_says_what_to_do(params, monkeypatch, name, scheme):
    monkeypatch.setenv(name, f"{scheme}://me:pw@proxy.example:1080")
    monkeypatch.setattr("cotpd.llm.transports.proxies.find_spec", lambda name: None)

    message = ask_abroad(params)

    assert message.startswith(f"{name} names a SOCKS proxy (proxy.example:1080)")
    assert "pip install socksio" in message
    assert "pw" not in message


def test_a_variable_that_does_not_concern_the_address_is_not_read(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://")
    monkeypatch.setenv("ALL_PROXY", "socks9://")
    monkeypatch.setenv("HTTP_PROXY", "proxy.example:3128")

    assert find_proxy(ABROAD).shown == "proxy.example:3128"


def test_a_variable_in_small_letters_counts_before_and_may_be_empty(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://upper:1")
    monkeypatch.setenv("http_proxy", "http://lower:1")
    assert find_proxy(ABROAD).shown == "lower:1"

    monkeypatch.setenv("http_proxy", "")
    assert find_proxy(ABROAD) is None


@pytest.mark.parametrize(
    ("entry", "address", "exempt"),
    [
        ("*", ABROAD, True),
        ("llm.example", ABROAD, True),
        ("example", ABROAD, True),
        (".example", ABROAD, True),
        ("*.example", ABROAD, True),
        ("a.b, LLM.example", ABROAD, True),
        ("xample", ABROAD, False),
        ("llm.example:80", ABROAD, True),
        ("llm.example:8080", ABROAD, False),
        ("10.0.0.0/8", "http://10.1.2.3/v1", True),
        ("10.0.0.0/8", ABROAD, False),
        ("10.1.2.3", "http://10.1.2.3/v1", True),
        ("2.3", "http://10.1.2.3/v1", False),
        ("fd00::/8", "http://[fd00::1]/v1", True),
        ("[fd00::1]", "http://[fd00::1]/v1", True),
        ("fd00::1", "http://[fd00::1]/v1", True),
    ],
)
def test_what_no_proxy_names_is_asked_without_one(monkeypatch, entry, address, exempt):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:1")
    monkeypatch.setenv("NO_PROXY", entry)

    assert (find_proxy(address) is None) == exempt


@pytest.mark.parametrize("entry", ["10.0.0.0/99", "[::1", "host:port"])
def test_an_entry_of_no_proxy_that_is_none_is_refused(params, monkeypatch, entry):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:1")
    monkeypatch.setenv("no_proxy", entry)

    assert ask_abroad(params).startswith(f"no_proxy: {entry!r} is no host")


@pytest.mark.parametrize("status", [403, 407])
@pytest.mark.parametrize("address", [ABROAD, "https://llm.example/v1"])
def test_a_proxys_refusal_is_told_as_the_proxys(params, monkeypatch, proxy, status, address):
    name = f"{address.split(':')[0].upper()}_PROXY"
    monkeypatch.setenv(name, proxy(status).replace("//", "//me:pw@"))

    message = ask_abroad(params, address)

    assert f"which {name} names" in message
    assert "key" not in message
    assert "pw" not in message


@pytest.mark.parametrize("status", [502, 503])
def test_a_proxys_passing_fault_names_the_proxy(params, monkeypatch, proxy, status):
    monkeypatch.setenv("HTTP_PROXY", proxy(status))
    away = params.model_copy(update={"base_url": ABROAD, "retries": 0})

    (row,) = ask_all(build_questions("a"), away, progress=False).failed

    assert "which HTTP_PROXY names" in row.reason


def test_a_server_behind_a_proxy_that_refuses_the_key_is_told_as_the_server(params, monkeypatch, proxy):
    monkeypatch.setenv("HTTP_PROXY", proxy(403, json.dumps({"error": {"message": "no"}})))

    assert "llm.example/v1 refuses the API key" in ask_abroad(params)


def test_a_proxy_that_does_not_answer_is_named(params, monkeypatch):
    port = find_port()
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")

    assert f"by way of the proxy 127.0.0.1:{port}, which ALL_PROXY names" in ask_abroad(params)
