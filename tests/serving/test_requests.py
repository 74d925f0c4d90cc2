"""Requests over a real connection: good ones are answered, each kind of bad one gets its status and a sentence."""

import pytest

from cotpd.serving.limits import Limits
from cotpd.serving.service import Service
from tests.serving.fake_predictor import FAILING, PAIR, build_version
from tests.serving.running_server import run_server, wait_until

ADA = {"entities": [{"start": 4, "end": 7, "text": "ADA", "type": "PER", "score": 0.9}]}


@pytest.mark.parametrize(
    ("body", "predictions"),
    [
        ({"text": "see ADA"}, [ADA]),
        ({"texts": ["see ADA"]}, [ADA]),
        ({"texts": ["see ADA", "", " ", "none"]}, [ADA, {"entities": []}, {"entities": []}, {"entities": []}]),
        ({"text": "see ADA \u0000 \u2028 \U0001f680 </script>"}, [ADA]),
        ({"texts": ["see ADA"] * 50}, [ADA] * 50),
        ({"text": "x" * 500}, [{"entities": []}]),
    ],
)
def test_texts_are_answered_in_order_with_the_version(server, body, predictions):
    response = server.predict(body)

    assert response.status == 200
    assert response.body == {
        "model": {"name": "fake", "version": "1", "backend": "torch"},
        "predictions": predictions,
    }


def test_offsets_count_characters_behind_an_emoji(server):
    [prediction] = server.predict({"text": "\U0001f680\U0001f468\u200d\U0001f680 ADA"}).body["predictions"]

    assert (prediction["entities"][0]["start"], prediction["entities"][0]["end"]) == (5, 8)


@pytest.mark.parametrize("body", [PAIR, {"pairs": [PAIR]}, {"pairs": [PAIR | {"head": [0, 3]}]}])
def test_pairs_are_answered(pair_server, body):
    response = pair_server.predict(body)

    assert (response.status, response.body["predictions"]) == (200, [{"label": "PER", "score": 0.9}])


def test_words_are_accepted_in_place_of_a_text_alone_and_among_texts(server):
    alone = server.predict({"tokens": ["see", "ADA"]})
    among = server.predict({"texts": ["see ADA", {"tokens": ["see", "BOB"]}]})

    assert (alone.status, among.status) == (200, 200)
    [[ada], [bob]] = (row["entities"] for row in among.body["predictions"])
    assert (ada["text"], bob["text"]) == ("ADA", "BOB")


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_the_ways_to_say_json_are_understood(server, kind):
    assert server.predict({"text": "see ADA"}, headers={"Content-Type": kind}).status == 200


def test_a_prediction_that_fails_is_an_error_and_the_server_lives(server, capfd):
    response = server.predict({"text": FAILING})

    assert (response.status, response.body["error"]) == (500, "the prediction failed")
    assert server.predict({"text": "see ADA"}).status == 200
    assert FAILING not in capfd.readouterr().err  # the log names the line, and quotes no text


def test_a_full_queue_is_refused_with_the_time_to_wait():
    version = build_version()
    with run_server(Service(version, Limits(queued_texts=1))) as server:
        version.predictor.gate.clear()
        connections = [server.open_connection() for _ in range(2)]
        send_text(connections[0])
        wait_until(lambda: version.predictor.batches)  # before that, both might become one batch
        send_text(connections[1])
        wait_until(lambda: server.read_metric("cotpd_queued_texts"))
        refused = server.predict({"text": "see ADA"})
        version.predictor.gate.set()

        assert (refused.status, int(refused.headers["retry-after"]) >= 1) == (503, True)
        for connection in connections:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
            connection.close()


def send_text(connection):
    """Send a request by hand, and wait for no answer."""
    body = b'{"text": "see ADA"}'
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    connection.sendall(head % len(body) + body)


def test_a_client_beyond_its_rate_is_refused_with_the_time_to_wait():
    with run_server(Service(build_version(), Limits(rate=1))) as server:
        statuses = [server.predict({"text": "ADA"}).status for _ in range(2)]
        refused = server.predict({"text": "ADA"})

        assert statuses == [200, 200]
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert server.send("/healthz").status == 200  # only predictions count


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer secret", 200),
        ("bearer secret", 200),
        ("Bearer wrong", 401),
        ("Bearer secre", 401),
        ("Bearer secretly", 401),
        ("Basic secret", 401),
        ("secret", 401),
        ("Bearer", 401),
        ("Bearer s\xe9cret", 401),
        (None, 401),
    ],
)
def test_a_token_is_asked_for_where_one_is_set(token_server, authorization, status):
    headers = {} if authorization is None else {"Authorization": authorization}

    response = token_server.predict({"text": "ADA"}, headers=headers)

    assert response.status == status
    assert ("www-authenticate" in response.headers) == (status == 401)
    assert token_server.send("/readyz").status == 200


@pytest.fixture(scope="module")
def token_server():
    with run_server(Service(build_version(), Limits(), token="secret")) as running:
        yield running


def test_health_readiness_and_metrics_say_what_serves(server):
    server.predict({"texts": ["ADA", "BOB"]})

    assert server.send("/healthz").body == {"healthy": True}
    ready = server.send("/readyz")
    assert (ready.status, ready.body["model"]["version"]) == (200, "1")
    metrics = server.send("/metrics").body.decode()
    assert 'cotpd_model_info{backend="torch",name="fake",version="1"} 1.0' in metrics
    for name in (
        "cotpd_requests_total",
        "cotpd_request_seconds_count",
        "cotpd_batch_texts_count",
        "cotpd_texts_total",
    ):
        assert name in metrics
    assert "ADA" not in metrics


def test_metrics_have_no_label_that_a_client_chooses(server):
    for number in range(5):
        server.send(f"/secret-text-{number}")
        server.send("/healthz", method=f"BREW{number}")

    metrics = server.send("/metrics").body.decode()

    assert "secret-text" not in metrics
    assert "BREW" not in metrics
    assert 'method="other",route="/healthz",status="405"' in metrics
