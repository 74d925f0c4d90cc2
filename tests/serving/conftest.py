"""Servers of fake predictors, one of each task."""

import pytest

from cotpd.serving.limits import Limits
from cotpd.serving.service import Service
from tests.serving.fake_predictor import build_version
from tests.serving.running_server import run_server

LIMITS = Limits(body_bytes=100_000, texts=50, characters=500, queued_texts=100, read_seconds=1.0)


@pytest.fixture(scope="package")
def server():
    """A server of named entities."""
    with run_server(Service(build_version(), LIMITS)) as running:
        yield running


@pytest.fixture(scope="package")
def pair_server():
    """A server of relations."""
    with run_server(Service(build_version(task="re"), LIMITS)) as running:
        yield running
