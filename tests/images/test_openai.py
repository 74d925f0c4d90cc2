"""A vision model behind an address: what is sent, that nothing is sent twice, and what a refusal becomes."""

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cotpd.config import CaptionParams, LlmParams
from cotpd.images import captioner
from cotpd.images.captioner import Captioner
from cotpd.images.openai import OpenAICaptioner
from cotpd.images.sight import SIDE, data_url

from .conftest import MakePost


@pytest.fixture
def vision(httpserver: HTTPServer, tmp_path: Path) -> Captioner:
    """The openai captioner, its ledger new, its model a server that says the colour it was shown; blue it refuses."""

    def answer(request: Request) -> Response:
        url = request.get_json()["messages"][-1]["content"][1]["image_url"]["url"]
        pixel = Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1]))).getpixel((0, 0))
        colour = ("red", "green", "blue")[max(range(3), key=lambda channel: pixel[channel])]
        message = {"role": "assistant", "content": f"a {colour} square"}
        if colour == "blue":
            message = {"role": "assistant", "content": None, "refusal": "I cannot look at that."}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = {"id": "x", "object": "chat.completion", "created": 1, "model": "eye", "choices": [choice]}
        return Response(json.dumps(body), content_type="application/json")

    httpserver.expect_request("/v1/chat/completions", method="POST").respond_with_handler(answer)
    params = CaptionParams(backend="openai", model="eye", base_url=httpserver.url_for("/v1"))
    return captioner(params, LlmParams(ledger=str(tmp_path / "ledger.db"), recorded=None, retries=0))


def test_each_picture_is_asked_once_ever(
    vision: Captioner, httpserver: HTTPServer, folder: Path, post: MakePost
) -> None:
    posts = [post("a", "red.png"), post("b", "green.png"), post("c", "red.png"), post("d", "cut.png")]
    captions = vision.caption(posts, folder)
    assert [one.caption for one in captions] == ["a red square", "a green square", "a red square", None]
    assert len(httpserver.log) == 2
    assert vision.caption(posts, folder) == captions
    assert len(httpserver.log) == 2, "the second time every answer is in the ledger"


def test_a_refusal_is_a_problem_and_not_a_caption(vision: Captioner, folder: Path, post: MakePost) -> None:
    Image.new("RGB", (9, 9), "blue").save(folder / "blue.png")
    caption = vision.caption([post("a", "blue.png")], folder)[0]
    assert caption.caption is None
    assert "blue.png" in caption.problem


def test_a_picture_travels_small_and_always_as_the_same_bytes() -> None:
    image = Image.effect_noise((2000, 500), 50).convert("RGB")
    head, data = data_url(image).split(",", 1)
    sent = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == "data:image/jpeg;base64"
    assert sent.size == (SIDE, SIDE // 4)
    assert data_url(image) == data_url(image)


@pytest.mark.parametrize(("own", "sent"), [({}, "Bearer none"), ({"api_key_env": "EYE_KEY"}, "Bearer eye-secret")])
def test_the_key_of_one_server_is_never_sent_to_another(
    vision: Captioner, httpserver: HTTPServer, folder: Path, post: MakePost, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, own: dict[str, str], sent: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-other-server")
    monkeypatch.setenv("EYE_KEY", "eye-secret")
    params = CaptionParams(backend="openai", model="eye", base_url=httpserver.url_for("/v1"), **own)
    llm = LlmParams(base_url="https://elsewhere.example/v1", ledger=str(tmp_path / "new.db"), recorded=None)
    captioner(params, llm).caption([post("a", "red.png")], folder)
    assert [request.headers["Authorization"] for request, _ in httpserver.log] == [sent]


def test_the_limits_are_those_of_the_step_and_not_of_every_part_of_it(
    vision: Captioner, httpserver: HTTPServer, folder: Path, post: MakePost, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(OpenAICaptioner, "batch_size", 1)
    names = [f"{n}.png" for n in range(4)]
    for n, name in enumerate(names):
        Image.new("RGB", (9, 9), (250, n, 0)).save(folder / name)
    params = CaptionParams(backend="openai", model="eye", base_url=httpserver.url_for("/v1"))
    limited = LlmParams(ledger=str(tmp_path / "new.db"), recorded=None, max_tokens=110_000)  # two with a picture
    found = captioner(params, limited).caption([post(name, name) for name in names], folder)
    assert len(httpserver.log) == 2
    assert "llm.max_tokens" in found[-1].problem
