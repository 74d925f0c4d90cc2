"""How a server is reached: proxies, certificates and headers, each of which is refused by its variable's name."""

import json
import os

import pytest

from cotpd.errors import LlmError
from cotpd.images.captioner_backends import build_captioner
from cotpd.images.params import CaptionParams
from cotpd.llm.ask import ask_all
from cotpd.llm.backends import list_backends
from cotpd.llm.params import LlmParams
from cotpd.llm.transports.batch_api import BatchServer
from cotpd.llm.transports.connection import Connection
from tests.batch_server import BatchApi
from tests.chat_server import build_completion, build_error, build_questions, build_reply

OPENAI = {
    "OPENAI_ORG_ID": "org-secret",
    "OPENAI_PROJECT_ID": "proj-secret",
    "OPENAI_CUSTOM_HEADERS": "X-Gateway: gateway-secret\nAuthorization: Bearer other-secret",
    "OPENAI_ADMIN_KEY": "admin-secret",
}
pytestmark = pytest.mark.usefixtures("clean_connection_environment")


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
