"""The parameters to ask the fake chat server with."""

import pytest

from cotpd.llm.params import LlmParams


@pytest.fixture
def params(llm_params: LlmParams) -> LlmParams:
    """The only parameters that tests of asking have."""
    return llm_params
