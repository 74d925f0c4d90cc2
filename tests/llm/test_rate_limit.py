"""Rate limits: exact against a clock that the test advances, and obeyed as a server's headers state them."""

import asyncio
import itertools
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.llm.ask import ask_all
from cotpd.llm.transports.rate_limit import RateLimit, parse_wait, read_retry_after
from tests.chat_server import build_completion, build_error, build_questions, build_reply


class Clock:
    """A clock that advances only while the rate limit sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def list_starts(sizes: list[float], **limits: float) -> list[float]:
    """Return the second at which each of several requests is sent; sizes are their tokens."""
    clock = Clock()
    pace = RateLimit(**limits, clock=lambda: clock.now, sleep=clock.sleep)

    async def send() -> list[float]:
        sent = []
        for size in sizes:
            await pace.wait_for_slot(size)
            sent.append(clock.now)
        return sent

    return asyncio.run(send())


@given(st.integers(1, 600), st.integers(1, 60))
def test_no_minute_holds_more_requests_than_allowed(rate, count):
    sent = list_starts([1.0] * count, requests=rate)

    for at in sent:
        assert sum(at <= moment < at + 60 - 1e-6 for moment in sent) <= rate
    assert sent[-1] == pytest.approx((count - 1) * 60 / rate)  # and no slower than that


@given(st.lists(st.integers(1, 500), min_size=1, max_size=40), st.integers(10, 10_000))
def test_no_minute_holds_more_tokens_than_allowed_beyond_the_last_request(sizes, rate):
    sent = list_starts(sizes, tokens=rate)
    for at in sent:
        within = [size for size, moment in zip(sizes, sent, strict=True) if at <= moment < at + 60 - 1e-6]
        assert sum(within[:-1]) <= rate + 1e-6


def test_tokens_that_were_not_used_are_given_back():
    clock = Clock()
    pace = RateLimit(tokens=60, clock=lambda: clock.now, sleep=clock.sleep)

    async def send() -> None:
        await pace.wait_for_slot(60)
        pace.give_back(50)
        await pace.wait_for_slot(1)

    asyncio.run(send())
    assert clock.now == pytest.approx(10)


def test_who_waits_already_waits_longer_when_told_to():
    clock = Clock()

    async def sleep(seconds: float) -> None:
        if clock.now == 0:
            pace.pause_all(5)  # a refusal arrives while this one waits
        await clock.sleep(seconds)

    pace = RateLimit(requests=60, clock=lambda: clock.now, sleep=sleep)

    async def send() -> None:
        await pace.wait_for_slot(0)
        await pace.wait_for_slot(0)

    asyncio.run(send())
    assert clock.now == pytest.approx(5)


def test_after_a_hold_those_who_waited_are_spaced_again():
    """Real time, for they wait beside each other: 20 a second, and all are told to wait 0.4 s."""
    pace, sent = RateLimit(requests=1200), []

    async def send() -> None:
        await pace.wait_for_slot(0)
        sent.append(time.monotonic())

    async def send_all() -> None:
        tasks = [asyncio.create_task(send()) for _ in range(6)]
        await asyncio.sleep(0.01)
        pace.pause_all(0.4)
        await asyncio.gather(*tasks)

    asyncio.run(send_all())
    assert all(later - earlier >= 0.04 for earlier, later in itertools.pairwise(sorted(sent)))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2),
        ("1.5", 1.5),
        ("20ms", 0.02),
        ("6m0s", 360),
        ("1h2m3s", 3723),
        ("soon", None),
        ("5 x", None),
        ("", None),
    ],
)
def test_waits_are_read_as_servers_write_them(value, seconds):
    assert parse_wait(value) == (None if seconds is None else pytest.approx(seconds))


def test_retry_after_is_milliseconds_seconds_or_a_date():
    assert read_retry_after({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    assert read_retry_after({"retry-after": "3"}) == 3

    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert 55 < read_retry_after({"retry-after": date}) <= 60
    assert read_retry_after({"retry-after": "some time"}) is None
    assert read_retry_after({}) is None


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "300ms"}, 0.3),
        ({"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "0m0.3s"}, 0.3),
        ({"x_ratelimit_remaining_requests": "5", "x_ratelimit_reset_requests": "1h"}, 0.0),
    ],
)
def test_a_servers_own_limits_are_heeded_before_it_refuses(server, params, headers, least):
    server.faults = [build_reply(build_completion("A"), **headers)]
    began = time.monotonic()

    ask_all(build_questions("a", "b"), params.model_copy(update={"concurrency": 1}), progress=False)

    assert least <= time.monotonic() - began < 60


def test_a_refusal_that_only_states_its_limits_holds_the_next_try_back(server, params):
    headers = {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "1s"}
    server.faults = [build_error(429, "rate_limit_exceeded", **headers)]
    began = time.monotonic()

    assert ask_all(build_questions("a"), params, progress=False).answers[0].text == "A"
    assert time.monotonic() - began >= 1.0


def test_a_server_that_asks_for_no_wait_is_not_asked_without_a_pause(server, params, monkeypatch):
    paused = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr("cotpd.llm.transports.chat_client.asyncio.sleep", sleep)
    server.faults = [build_error(429, "rate_limit_exceeded", retry_after="0")] * 2
    assert ask_all(build_questions("a"), params, progress=False).answers[0].text == "A"
    assert len([seconds for seconds in paused if seconds > 0]) >= 2


def test_tokens_that_a_server_does_not_count_are_not_given_back(server, params):
    silent = json.loads(build_completion("A")) | {"usage": None}
    server.always = build_reply(json.dumps(silent))
    params = params.model_copy(update={"concurrency": 1, "tokens_per_minute": 30_000})
    began = time.monotonic()

    ask_all(build_questions(*"abcdef"), params, progress=False)

    assert time.monotonic() - began >= 5 * 64 / 500  # five of them wait for the room of the one before
