"""What the server cannot answer is refused with the right status and a sentence, and the server lives."""

import gzip
import json

import pytest

from tests.serving.fake_predictor import PAIR


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
