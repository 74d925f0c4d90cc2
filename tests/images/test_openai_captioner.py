"""A vision model behind an address: what is sent, that nothing is sent twice, and what a refusal becomes."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cotpd.data.picture_files import PictureFolder
from cotpd.data.records import Post
from cotpd.images import openai_captioner as module
from cotpd.images.captioner import Captioner
from cotpd.images.captioner_backends import build_captioner
from cotpd.images.params import CaptionParams
from cotpd.images.picture_encoder import SIDE, encode_picture
from cotpd.llm.params import LlmParams
from cotpd.llm.transports import batch
from tests.batch_server import BatchApi, build_answer_line


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
        body["usage"] = {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000}
        return Response(json.dumps(body), content_type="application/json")

    httpserver.expect_request("/v1/chat/completions", method="POST").respond_with_handler(answer)
    params = CaptionParams(backend="openai", model="eye", base_url=httpserver.url_for("/v1"))
    return build_captioner(params, LlmParams(ledger=str(tmp_path / "ledger.db"), recorded=None, retries=0))


def test_each_picture_is_asked_once_ever(
    vision: Captioner, httpserver: HTTPServer, folder: Path, post: Callable[..., Post]
) -> None:
    posts = [post("a", "red.png"), post("b", "green.png"), post("c", "red.png"), post("d", "cut.png")]
    captions = vision.caption(posts, PictureFolder(folder))
    assert [caption.caption for caption in captions] == ["a red square", "a green square", "a red square", None]
    assert len(httpserver.log) == 2
    assert vision.caption(posts, PictureFolder(folder)) == captions
    assert len(httpserver.log) == 2, "the second time every answer is in the ledger"


def test_a_refusal_is_a_problem_and_not_a_caption(
    vision: Captioner, folder: Path, post: Callable[..., Post]
) -> None:
    Image.new("RGB", (9, 9), "blue").save(folder / "blue.png")
    caption = vision.caption([post("a", "blue.png")], PictureFolder(folder))[0]
    assert caption.caption is None
    assert "blue.png" in caption.problem


@pytest.mark.parametrize(
    ("answer", "finish_reason", "caption", "problem"),
    [
        ("<think>A square.</think>a red square</s>", "stop", "a red square", ""),
        (
            "<think>A square, or",
            "length",
            None,
            "reasoning was cut off before the answer: raise caption.max_tokens",
        ),
        ("", "length", None, "cut before its first word: raise caption.max_tokens"),
        ("A red square. It stands on a", "length", "A red square.", ""),
        ("a red square that", "stop", None, "raise caption.max_tokens"),
        ("a red squ", None, None, "raise caption.max_tokens"),
    ],
)
def test_a_caption_is_neither_reasoning_nor_half_a_sentence(
    httpserver: HTTPServer,
    folder: Path,
    post: Callable[..., Post],
    tmp_path: Path,
    answer: str,
    finish_reason: str | None,
    caption: str | None,
    problem: str,
) -> None:
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": answer}}
    httpserver.expect_request("/v1/chat/completions").respond_with_json({"model": "eye", "choices": [choice]})
    params = CaptionParams(backend="openai", model="eye", base_url=httpserver.url_for("/v1"))
    looking = build_captioner(params, LlmParams(ledger=str(tmp_path / "ledger.db"), recorded=None, retries=0))

    (row,) = looking.caption([post("a", "red.png")], PictureFolder(folder))

    assert row.caption == caption
    assert problem in row.problem


def test_a_picture_travels_small_and_always_as_the_same_bytes() -> None:
    image = Image.effect_noise((2000, 500), 50).convert("RGB")
    head, data = encode_picture(image).split(",", 1)
    sent = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == "data:image/jpeg;base64"
    assert sent.size == (SIDE, SIDE // 4)
    assert encode_picture(image) == encode_picture(image)


@pytest.mark.parametrize(
    ("base_url", "named", "sent"),
    [
        ("https://api.openai.com/v1", None, "Bearer none"),
        ("https://api.openai.com/v1", "EYE_KEY", "Bearer sk-of-the-eye"),
        (None, None, "Bearer sk-of-the-llm"),
        (None, "EYE_KEY", "Bearer sk-of-the-eye"),
    ],
)
def test_the_key_of_one_server_is_never_sent_to_another(
    vision: Captioner,
    httpserver: HTTPServer,
    folder: Path,
    post: Callable[..., Post],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    base_url: str | None,
    named: str | None,
    sent: str,
) -> None:
    """``base_url`` is llm's; None is the address of the captioner, written with a slash at its end."""
    monkeypatch.setenv("LLM_KEY", "sk-of-the-llm")
    monkeypatch.setenv("EYE_KEY", "sk-of-the-eye")
    address = httpserver.url_for("/v1")
    llm = LlmParams(
        base_url=base_url or f"{address}/", api_key_env="LLM_KEY", ledger=str(tmp_path / "k.db"), recorded=None
    )
    params = CaptionParams(backend="openai", model="eye", base_url=address, api_key_env=named)
    build_captioner(params, llm).caption([post("a", "red.png")], PictureFolder(folder))
    assert [request.headers["Authorization"] for request, _ in httpserver.log] == [sent]


def test_a_limit_holds_for_the_whole_step(
    httpserver: HTTPServer, vision: Captioner, folder: Path, post: Callable[..., Post], tmp_path: Path
) -> None:
    """Room for the worst case of one request and the 1000 tokens of ten: the eleventh is the last."""
    names = [f"{n}.png" for n in range(150)]
    for n, name in enumerate(names):
        Image.new("RGB", (9 + n, 9), "red").save(folder / name)
    params = CaptionParams(backend="openai", model="eye", base_url=httpserver.url_for("/v1"))
    llm = LlmParams(ledger=str(tmp_path / "m.db"), recorded=None, concurrency=1, max_tokens=60_500)
    captions = build_captioner(params, llm).caption(
        [post(name, name) for name in [*names, "cut.png"]], PictureFolder(folder)
    )
    assert len(httpserver.log) == 11
    assert [caption.caption for caption in captions] == ["a red square"] * 11 + [None] * 140
    assert "llm.max_tokens (60,500)" in captions[-2].problem
    assert "cut.png" in captions[-1].problem


def test_all_pictures_are_one_round_of_asking(
    vision: Captioner, folder: Path, post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that batch mode makes one job of them, and a rate is kept between them."""
    rounds, asking = [], module.ask
    monkeypatch.setattr(module, "ask", lambda *given, **more: rounds.append(1) or asking(*given, **more))
    names = [f"{n}.png" for n in range(70)]
    for n, name in enumerate(names):
        Image.new("RGB", (9 + n, 9), "red").save(folder / name)
    captions = vision.caption([post(name, name) for name in names], PictureFolder(folder))
    assert ({caption.caption for caption in captions}, len(rounds)) == ({"a red square"}, 1)
    assert vision.caption([post("a", "cut.png"), post("b", None)], PictureFolder(folder))[0].caption is None
    assert len(rounds) == 1, "without a picture that can be read nobody is asked"


def test_batch_mode_makes_one_job_of_all_pictures(
    folder: Path, post: Callable[..., Post], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "FIRST_POLL", 0.02)
    api = BatchApi()
    body = {"messages": [{"role": "user", "content": "a square"}]}  # the server answers with what it was told
    api.outcome = lambda row: build_answer_line({**row, "body": body})
    names = [f"{n}.png" for n in range(70)]
    for n, name in enumerate(names):
        Image.new("RGB", (9 + n, 9), "red").save(folder / name)
    params = CaptionParams(backend="openai", model="eye", base_url=api.base_url)
    llm = LlmParams(ledger=str(tmp_path / "b.db"), recorded=None, mode="batch", base_url=api.base_url)
    try:
        captions = build_captioner(params, llm).caption(
            [post(name, name) for name in names], PictureFolder(folder)
        )
        assert len(api.jobs) == 1
        assert {caption.caption for caption in captions} == {"A SQUARE"}
    finally:
        api.close()
