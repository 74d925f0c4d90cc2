"""The parameters to ask the fake chat server with."""

import os

import pytest

from cotpd.llm.params import LlmParams


@pytest.fixture
def params(llm_params: LlmParams) -> LlmParams:
    """The only parameters that tests of asking have."""
    return llm_params


@pytest.fixture
def clean_connection_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every variable away that says how a server is reached: proxies, certificates, OpenAI's own."""
    proxies = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in list(os.environ):
        if name.lower() in proxies or name.startswith(("SSL_CERT_", "OPENAI_")):
            monkeypatch.delenv(name)
