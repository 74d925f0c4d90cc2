"""A server that takes batches, and the parameters that name it."""

import pytest

from cotpd.llm.params import LlmParams
from cotpd.llm.transports import batch, batch_api
from tests.batch_server import BatchApi


@pytest.fixture
def api():
    server = BatchApi()
    yield server
    server.close()


@pytest.fixture
def params(api, tmp_path, monkeypatch) -> LlmParams:
    monkeypatch.setattr(batch, "FIRST_POLL", 0.02)
    monkeypatch.setattr(batch_api, "_PAUSE", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ledger = str(tmp_path / "ledger.db")
    return LlmParams(base_url=api.base_url, model="fake", ledger=ledger, recorded=None, mode="batch", retries=1)
