"""Requests over a real connection: good ones are answered, each kind of bad one gets its status and a sentence."""

import gzip
import json

import pytest

from cotpd.serving.limits import Limits
from cotpd.serving.service import Service
from tests.serving.fake_predictor import FAILING, build_version
from tests.serving.running_server import run_server, wait_until

ADA = {"entities": [{"start": 4, "end": 7, "text": "ADA", "type": "PER", "score": 0.9}]}
PAIR = {"text": "Ada works for Acme", "head": "Ada", "tail": [14, 18]}


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


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (b"", 400, "empty"),
        (b" \n", 400, "empty"),
        (b"{", 400, "no JSON at character 1"),
        (b"text=Ada", 400, "no JSON"),
        (b'{"text": "Ada"} x', 400, "no JSON"),
        (b'{"text": "Ada"', 400, "no JSON"),
        (b"\xff\xfe", 400, "no UTF-8 at byte 0"),
        ('{"text": "é"}'.encode("latin-1"), 400, "no UTF-8"),
        ('{"text": "Ada"}'.encode("utf-16"), 400, "no UTF-8"),
        (b'\xef\xbb\xbf{"text": "Ada"}', 400, "no JSON"),
        (b'{"text": NaN}', 400, "NaN"),
        (b'{"text": -Infinity}', 400, "-Infinity"),
        (b'{"text": "Ada", "text": "Bob"}', 400, "twice"),
        (b'{"texts": ["a"], "x": {"a": 1, "a": 2}}', 400, "twice"),
        (b"[" * 20_000, 400, "nested too deeply"),
        (b'{"text": ' * 10_000, 400, "nested too deeply"),
        (b'{"text": ' + b"1" * 5000 + b"}", 400, "too long"),
        (b'{"text": "a\nb"}', 400, "no JSON"),
        (b"null", 422, "null, and no object"),
        (b"7", 422, "a number, and no object"),
        (b'"Ada"', 422, "text, and no object"),
        (b'["Ada"]', 422, "a list, and no object"),
        (b"{}", 422, "text is missing"),
        (b'{"text": null}', 422, "text is null, and no text"),
        (b'{"text": 7}', 422, "text is a number"),
        (b'{"text": true}', 422, "text is a boolean"),
        (b'{"text": ["Ada"]}', 422, "text is a list"),
        (b'{"text": {"text": "Ada"}}', 422, "text is an object"),
        (b'{"text": "\\ud800"}', 422, "half of a surrogate pair"),
        (b'{"texts": ["Ada", "\\udc00 x"]}', 422, "texts[1] holds half of a surrogate pair"),
        (b'{"texts": "Ada"}', 422, "texts is text, and no list"),
        (b'{"texts": []}', 422, "texts holds fewer than 1"),
        (b'{"texts": ["Ada", 7]}', 422, "texts[1] is a number"),
        (b'{"texts": [["Ada"]]}', 422, "texts[0] is a list"),
        (b'{"text": "Ada", "texts": ["Ada"]}', 422, "there is no field text"),
        (b'{"tokens": []}', 422, "tokens holds fewer than 1"),
        (b'{"tokens": ["Ada", 7]}', 422, "tokens[1] is a number"),
        (b'{"texts": ["Ada", {"tokens": "Ada"}]}', 422, "texts[1].tokens is text, and no list"),
        (json.dumps({"tokens": ["x" * 300, "y" * 300]}).encode(), 422, "its tokens hold more than 500 characters"),
        (b'{"txt": "Ada"}', 422, "there is no field txt"),
        (b'{"text": "Ada", "lang": "en"}', 422, "there is no field lang"),
        (b'{"text": "Ada", "\\ud800": 1}', 422, "a name holds half of a surrogate pair"),
        (b'{"text": "Ada", "head": "Ada", "tail": "Ada"}', 422, "there is no field head"),
        (json.dumps({"text": "x" * 501}).encode(), 422, "longer than 500 characters"),
        (json.dumps({"texts": ["x", "x" * 501]}).encode(), 422, "texts[1] is longer than 500"),
        (json.dumps({"texts": ["x"] * 51}).encode(), 422, "more than 50 items"),
        (json.dumps({"texts": ["x"] * 10_000}).encode(), 422, "more than 50 items"),
        (json.dumps({"text": "x" * 10_000_000}).encode(), 413, "larger than 100,000 bytes"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_with_a_sentence(server, body, status, problem):
    response = server.predict(body)

    assert response.status == status
    assert problem in response.body["error"]
    assert server.predict({"text": "see ADA"}).status == 200


def test_words_are_accepted_in_place_of_a_text_alone_and_among_texts(server):
    alone = server.predict({"tokens": ["see", "ADA"]})
    among = server.predict({"texts": ["see ADA", {"tokens": ["see", "BOB"]}]})

    assert (alone.status, among.status) == (200, 200)
    [[ada], [bob]] = (row["entities"] for row in among.body["predictions"])
    assert (ada["text"], bob["text"]) == ("ADA", "BOB")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"text": "Ada works for Acme"}, "head is missing"),
        ({"texts": ["Ada works for Acme"]}, "there is no field texts"),
        (PAIR | {"head": None}, "head"),
        (PAIR | {"head": 3}, "head"),
        (PAIR | {"head": True}, "head"),
        (PAIR | {"head": ""}, "head"),
        (PAIR | {"head": "Bob"}, "does not stand in the text"),
        (PAIR | {"tail": [14, 900]}, "is no place"),
        (PAIR | {"tail": [-1, 3]}, "tail"),
        (PAIR | {"tail": [3, 3]}, "is no place"),
        (PAIR | {"tail": [3, 4]}, "no word"),
        (PAIR | {"tail": [1]}, "tail"),
        (PAIR | {"tail": [1, 2, 3]}, "tail"),
        (PAIR | {"tail": [1.5, 3]}, "tail"),
        (PAIR | {"text": ""}, "does not stand"),
        ({"pairs": []}, "fewer than 1"),
        ({"pairs": ["Ada"]}, "pairs[0] is text"),
        ({"pairs": [PAIR, PAIR | {"head": "Bob"}]}, "pairs[1]: head"),
        ({"pairs": [PAIR | {"label": "x"}]}, "label"),
    ],
)
def test_a_pair_that_cannot_be_read_is_refused_with_a_sentence(pair_server, body, problem):
    response = pair_server.predict(body)

    assert response.status == 422
    assert problem in response.body["error"]


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({"Content-Type": "text/plain"}, "text/plain"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "x-www-form-urlencoded"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "multipart"),
        ({"Content-Type": ""}, "of no type"),
        ({"Content-Type": "application/json; charset=utf-16"}, "utf-16"),
        ({"Content-Encoding": "gzip"}, "gzip"),
        ({"Content-Encoding": "br"}, "br"),
    ],
)
def test_a_body_of_another_type_is_refused(server, headers, problem):
    response = server.predict({"text": "see ADA"}, headers=headers)

    assert response.status == 415
    assert problem in response.body["error"]


def test_a_gzip_bomb_is_refused_without_being_unpacked(server):
    bomb = gzip.compress(b'{"text": "' + b"a" * 50_000_000 + b'"}')

    response = server.predict(bomb, headers={"Content-Encoding": "gzip"})

    assert (response.status, response.headers["accept-encoding"]) == (415, "identity")


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_the_ways_to_say_json_are_understood(server, kind):
    assert server.predict({"text": "see ADA"}, headers={"Content-Type": kind}).status == 200


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v1/predict", "GET", 405),
        ("/v1/predict", "DELETE", 405),
        ("/v1/predict", "BREW", 405),
        ("/healthz", "POST", 405),
        ("/v1/predict/", "POST", 404),
        ("/v2/predict", "POST", 404),
        ("/nothing", "GET", 404),
        ("/docs", "GET", 404),
        ("/page/../application.py", "GET", 404),
        ("/..%2f..%2fapplication.py", "GET", 404),
        ("/page.js/../../request_body.py", "GET", 404),
        ("/%2e%2e/etc/passwd", "GET", 404),
        ("/%ff%fe", "GET", 404),
        ("//etc/passwd", "GET", 404),
    ],
)
def test_a_wrong_path_or_method_is_refused_with_a_sentence(server, path, method, status):
    response = server.send(path, {} if method == "POST" else None, method=method)

    assert response.status == status
    assert response.body["error"]
    assert ("allow" in response.headers) == (status == 405)


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
