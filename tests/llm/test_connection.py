"""How a server is reached: proxies, certificates and headers, each of which is refused by its variable's name."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cotpd.errors import LlmError
from cotpd.images.captioner_backends import build_captioner
from cotpd.images.params import CaptionParams
from cotpd.llm.ask import ask_all
from cotpd.llm.backends import list_backends
from cotpd.llm.params import LlmParams
from cotpd.llm.transports.batch_api import BatchServer
from cotpd.llm.transports.connection import Connection
from cotpd.llm.transports.proxies import find_proxy, is_loopback
from tests.batch_server import BatchApi
from tests.chat_server import build_completion, build_error, build_questions, build_reply

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
ABROAD = "http://llm.example/v1"
OPENAI = {
    "OPENAI_ORG_ID": "org-secret",
    "OPENAI_PROJECT_ID": "proj-secret",
    "OPENAI_CUSTOM_HEADERS": "X-Gateway: gateway-secret\nAuthorization: Bearer other-secret",
    "OPENAI_ADMIN_KEY": "admin-secret",
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower() in VARIABLES or name in ("SSL_CERT_FILE", "SSL_CERT_DIR", *OPENAI):
            monkeypatch.delenv(name)


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
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")

    assert f"by way of the proxy 127.0.0.1:{port}, which ALL_PROXY names" in ask_abroad(params)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("SSL_CERT_FILE", lambda path: None, "No such file"),
        ("SSL_CERT_FILE", lambda path: path.write_text("no certificate"), "holds no certificate"),
        ("SSL_CERT_FILE", lambda path: path.write_bytes(b"\xff\x00"), "holds no certificate"),
        ("SSL_CERT_FILE", lambda path: path.mkdir(), "directory"),
        ("SSL_CERT_DIR", lambda path: None, "no folder with certificates"),
        ("SSL_CERT_DIR", lambda path: path.mkdir(), "no folder with certificates"),
        ("SSL_CERT_DIR", lambda path: path.write_text("x"), "no folder with certificates"),
    ],
)
def test_certificates_that_cannot_be_used_are_refused_by_their_variable(
    server, params, monkeypatch, tmp_path, name, make, message
):
    make(tmp_path / "certificates")
    monkeypatch.setenv(name, str(tmp_path / "certificates"))

    for mode in ("live", "batch"):
        with pytest.raises(LlmError, match=message) as caught:
            ask_all(build_questions("a"), params.model_copy(update={"mode": mode}), progress=False)

        assert str(caught.value).startswith(f"{name} names {tmp_path}")
        assert "\n  Unset it" in str(caught.value)


def test_no_server_gets_what_the_environment_holds_for_openai(server, params, monkeypatch):
    for name, value in OPENAI.items():
        monkeypatch.setenv(name, value)

    ask_all(build_questions("a"), params, progress=False)

    assert "secret" not in json.dumps(server.headers)
    assert server.headers[0]["authorization"] == "Bearer none"
    assert {name: os.environ[name] for name in OPENAI} == OPENAI


def test_a_batch_gets_none_of_it_either(params, monkeypatch):
    for name, value in OPENAI.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("cotpd.llm.transports.batch.FIRST_POLL", 0.02)
    api = BatchApi()
    try:
        ask_all(
            build_questions("a"),
            params.model_copy(update={"mode": "batch", "base_url": api.base_url}),
            progress=False,
        )
        assert len(api.headers) > 3
        assert "secret" not in "".join(api.headers)
    finally:
        api.close()


def test_a_header_goes_to_the_server_that_it_is_named_for(server, params, monkeypatch):
    for name, value in OPENAI.items():
        monkeypatch.setenv(name, value)
    headers = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}

    ask_all(build_questions("a"), params.model_copy(update={"headers_env": headers}), progress=False)

    sent = server.headers[0]
    assert (sent["openai-organization"], sent["openai-project"]) == ("org-secret", "proj-secret")
    assert not {"x-gateway"} & sent.keys()


def test_headers_and_extra_fields_of_one_model_are_never_anothers():
    llm = LlmParams.model_validate(
        {
            "headers_env": {"X-Gateway": "GATEWAY"},
            "extra_body": {"reasoning_effort": "low"},
            "others": [
                {"model": "here"},
                {"model": "there", "base_url": "https://there.example/v1"},
                {"model": "named", "base_url": "https://n.example/v1", "headers_env": {"X-Own": "OWN"}},
            ],
        }
    )

    _, same_server, other_server, named = list_backends(llm)

    assert (same_server.headers_env, same_server.extra_body) == (llm.headers_env, llm.extra_body)
    assert (other_server.headers_env, other_server.extra_body) == ({}, {})
    assert (named.headers_env, named.extra_body) == ({"X-Own": "OWN"}, {})


@pytest.mark.parametrize(("address", "sent"), [(None, {"X-Gateway": "GATEWAY"}), ("https://eye.example/v1", {})])
def test_a_captioner_elsewhere_gets_no_header_of_the_llm(address, sent):
    llm = LlmParams(headers_env={"X-Gateway": "GATEWAY"})

    looking = build_captioner(CaptionParams(backend="openai", model="eye", base_url=address), llm)

    assert looking._llm.headers_env == sent


@pytest.mark.parametrize(
    ("value", "message"), [(None, "is not set"), ("", "is not set"), ("a\nb", "line break"), ("\u00e4", "ASCII")]
)
def test_a_header_that_cannot_be_sent_is_refused_and_not_quoted(server, params, monkeypatch, value, message):
    monkeypatch.delenv("GATEWAY", raising=False)
    if value is not None:
        monkeypatch.setenv("GATEWAY", value)
    gateway = params.model_copy(update={"headers_env": {"X-Gateway": "GATEWAY"}})

    with pytest.raises(LlmError, match=message) as caught:
        ask_all(build_questions("a"), gateway, progress=False)

    assert "GATEWAY" in str(caught.value)
    assert not server.received


def test_our_headers_do_not_follow_a_batchs_results_to_another_server(params, monkeypatch):
    monkeypatch.setenv("GATEWAY", "gateway-secret")
    api, store = BatchApi(), BatchApi()
    store.files["results"] = '{"custom_id": "x"}\n'
    api.faults = [("GET/files", 302, False)]
    address, api.base_url = api.base_url, store.base_url  # where it redirects to
    gateway = params.model_copy(update={"base_url": address, "headers_env": {"X-Gateway": "GATEWAY"}})
    try:
        with BatchServer(gateway) as server:
            list(server.download_lines("results"))
        assert "gateway-secret" in "".join(api.headers)
        assert store.headers
        assert "gateway-secret" not in "".join(store.headers)
    finally:
        api.close()
        store.close()


def test_a_key_of_another_organization_says_so(server, params, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    named = params.model_copy(update={"headers_env": {"OpenAI-Organization": "OPENAI_ORG_ID"}})
    server.always = build_error(401, "mismatched_organization")

    for llm, remedy in ((named, "Mend OPENAI_ORG_ID"), (params, "a gateway may add one")):
        with pytest.raises(LlmError, match="organization or project") as caught:
            ask_all(build_questions("a"), llm, progress=False)
        assert "mismatched_organization" in str(caught.value)
        assert remedy in str(caught.value)


def test_openais_own_variables_that_are_set_and_not_sent_are_warned_of(monkeypatch, caplog):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")

    Connection(LlmParams(base_url="https://api.openai.com/v1"))
    Connection(LlmParams(base_url="https://other.example/v1"))

    assert caplog.text.count("OPENAI_ORG_ID: set, and not sent to https://api.openai.com/v1") == 1
    assert "other.example" not in caplog.text


@pytest.mark.parametrize("finish_reason", ["error", "abort", "cancelled", "ERROR", "network_error", "timeout"])
def test_an_answer_that_its_server_broke_off_is_asked_for_again_and_never_kept(server, params, finish_reason):
    server.faults = [build_reply(build_completion("Eileen Collins: an astro", finish_reason))]

    (answer,) = ask_all(build_questions("a"), params, progress=False).answers

    assert answer.text == "A"
    assert len(server.received) == 2
