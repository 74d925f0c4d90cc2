"""The queue of requests: who shares a batch, who waits, and what a swap, a failure or a gone client changes."""

import random
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from itertools import chain

import pytest

from cotpd.serving import micro_batches
from cotpd.serving.micro_batches import MicroBatcher, QueueFullError
from cotpd.serving.service_metrics import ServiceMetrics
from tests.serving.fake_predictor import FAILING, build_inputs, build_version
from tests.serving.running_server import wait_until


@pytest.fixture
def make_batcher():
    """Start batchers, which are stopped at the end."""
    batchers = []

    def make(version, batch_texts=4, wait_seconds=0.0, queued_texts=100):
        batcher = MicroBatcher(version, batch_texts, wait_seconds, queued_texts, ServiceMetrics())
        batcher.start()
        batchers.append((batcher, version))
        return batcher

    yield make
    for batcher, version in batchers:
        version.predictor.gate.set()
        batcher.stop()


def hold(batcher, version):
    """Begin a batch of one text that is held up, and return its future."""
    version.predictor.gate.clear()
    future = batcher.submit(build_inputs("HELD"))
    wait_until(lambda: version.predictor.batches)
    return future


def read_types(answer):
    entities = chain.from_iterable(row["entities"] for row in answer.predictions)
    return {entity["type"] for entity in entities}


def test_a_single_client_never_waits_for_company(make_batcher, monkeypatch):
    monkeypatch.setattr(micro_batches, "_WAIT_SHARE", 1e9)
    batcher = make_batcher(build_version(), wait_seconds=20.0)

    began = time.monotonic()
    for _ in range(5):
        batcher.submit(build_inputs("ADA")).result(10)

    assert time.monotonic() - began < 10


def test_requests_that_arrive_during_a_batch_share_the_next(make_batcher):
    version = build_version()
    batcher = make_batcher(version)
    hold(batcher, version)

    futures = [batcher.submit(build_inputs(f"ADA{letter}")) for letter in "ABC"]
    version.predictor.gate.set()

    answers = [future.result(10) for future in futures]
    assert [answer.predictions[0]["entities"][0]["text"] for answer in answers] == ["ADAA", "ADAB", "ADAC"]
    assert version.predictor.batches == [1, 3]


def test_clients_that_shared_a_batch_are_waited_for(make_batcher, monkeypatch):
    monkeypatch.setattr(micro_batches, "_WAIT_SHARE", 1e9)
    version = build_version()
    batcher = make_batcher(version, wait_seconds=20.0)
    hold(batcher, version)
    first = [batcher.submit(build_inputs("A")), batcher.submit(build_inputs("B"))]
    version.predictor.gate.set()
    for future in first:
        future.result(10)

    future = batcher.submit(build_inputs("A"))
    time.sleep(0.05)
    assert not future.done()
    batcher.submit(build_inputs("B"))

    future.result(10)
    assert version.predictor.batches == [1, 2, 2]


def test_a_client_is_not_waited_for_longer_than_the_deadline(make_batcher, monkeypatch):
    monkeypatch.setattr(micro_batches, "_WAIT_SHARE", 1e9)
    version = build_version()
    batcher = make_batcher(version, wait_seconds=0.1)
    hold(batcher, version)
    first = [batcher.submit(build_inputs("A")), batcher.submit(build_inputs("B"))]
    version.predictor.gate.set()
    for future in first:
        future.result(10)

    batcher.submit(build_inputs("A")).result(10)

    assert version.predictor.batches == [1, 2, 1]


def test_a_quick_batch_is_not_waited_for(make_batcher):
    version = build_version()
    batcher = make_batcher(version, wait_seconds=20.0)
    hold(batcher, version)
    first = [batcher.submit(build_inputs("A")), batcher.submit(build_inputs("B"))]
    version.predictor.gate.set()
    for future in first:
        future.result(10)

    began = time.monotonic()
    batcher.submit(build_inputs("A")).result(30)

    assert time.monotonic() - began < 10


def test_a_long_request_is_answered_in_order_and_lets_others_between(make_batcher):
    version = build_version()
    batcher = make_batcher(version)
    hold(batcher, version)
    words = ["A" * length for length in range(1, 14)]

    long = batcher.submit(build_inputs(*words))
    short = batcher.submit(build_inputs("B"))
    version.predictor.gate.set()

    answer = long.result(10)
    assert [row["entities"][0]["text"] for row in answer.predictions] == words
    assert short.result(10).predictions[0]["entities"][0]["text"] == "B"
    assert version.predictor.batches == [1, 4, 4, 4, 2]  # the short one came second, not last


def test_a_request_that_has_begun_ends_with_its_version(make_batcher):
    old, new = build_version("1", label="OLD"), build_version("2", label="NEW")
    batcher = make_batcher(old)
    old.predictor.gate.clear()
    early = batcher.submit(build_inputs(*["A"] * 10))
    wait_until(lambda: old.predictor.batches)

    batcher.swap(new)
    later = batcher.submit(build_inputs("B"))
    old.predictor.gate.set()

    assert (early.result(10).version, read_types(early.result())) == (old, {"OLD"})
    assert (later.result(10).version, read_types(later.result())) == (new, {"NEW"})


def test_under_swaps_every_request_is_answered_by_one_version(make_batcher):
    versions = [build_version(str(number), label=f"V{number}") for number in range(5)]
    batcher = make_batcher(versions[0], wait_seconds=0.001, queued_texts=10_000)
    generator = random.Random(7)
    sizes = [generator.choice((1, 1, 1, 3, 9)) for _ in range(400)]
    ended = threading.Event()

    def swap_until_ended():
        while not ended.wait(0.002):
            batcher.swap(generator.choice(versions))

    swapper = threading.Thread(target=swap_until_ended)
    swapper.start()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda size: batcher.submit(build_inputs(*["A"] * size)).result(20), sizes))
    ended.set()
    swapper.join()

    assert [len(answer.predictions) for answer in answers] == sizes
    assert all(read_types(answer) == {answer.version.predictor.label} for answer in answers)


def test_a_text_that_fails_fails_no_other_request(make_batcher):
    version = build_version()
    batcher = make_batcher(version)
    hold(batcher, version)

    futures = [batcher.submit(build_inputs(text)) for text in ("A", FAILING, "B")]
    version.predictor.gate.set()

    assert [len(futures[index].result(10).predictions) for index in (0, 2)] == [1, 1]
    with pytest.raises(RuntimeError):
        futures[1].result(10)
    assert batcher.is_alive


def test_a_long_request_that_fails_leaves_nothing_in_the_queue(make_batcher):
    version = build_version()
    batcher = make_batcher(version, queued_texts=12)

    failed = batcher.submit(build_inputs(FAILING, *["A"] * 10))

    with pytest.raises(RuntimeError):
        failed.result(10)
    for _ in range(3):
        assert len(batcher.submit(build_inputs(*["A"] * 12)).result(10).predictions) == 12


def test_a_full_queue_refuses_and_says_when_there_is_room(make_batcher):
    version = build_version()
    batcher = make_batcher(version, queued_texts=5)
    hold(batcher, version)
    batcher.submit(build_inputs("A", "B", "C"))

    with pytest.raises(QueueFullError) as refused:
        batcher.submit(build_inputs("D", "E", "F"))

    assert refused.value.seconds >= 1
    batcher.submit(build_inputs("G", "H"))  # these find room


def test_a_client_that_has_gone_is_not_predicted_for(make_batcher):
    version = build_version()
    batcher = make_batcher(version)
    hold(batcher, version)
    gone = batcher.submit(build_inputs("A", "B", "C"))
    stays = batcher.submit(build_inputs("D"))

    gone.cancel()
    version.predictor.gate.set()

    assert len(stays.result(10).predictions) == 1
    assert version.predictor.batches == [1, 1]
    with pytest.raises(CancelledError):
        gone.result(1)


def test_the_end_answers_what_is_queued(make_batcher):
    version = build_version()
    batcher = make_batcher(version)
    hold(batcher, version)
    futures = [batcher.submit(build_inputs("A")) for _ in range(9)]

    threading.Timer(0.05, version.predictor.gate.set).start()
    batcher.stop()

    assert all(future.done() for future in futures)
    assert not batcher.is_alive
