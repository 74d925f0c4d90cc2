"""The questions for knowledge: which are asked, what they share, and the picture where the model is to see it."""

import base64
import io
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from cotpd.data.picture_files import PictureFolder
from cotpd.data.records import Kind, Post
from cotpd.errors import ConfigError
from cotpd.images.picture_encoder import SIDE, PictureEncoder
from cotpd.knowledge.params import AskParams
from cotpd.knowledge.questions import build_questions, find_missing_knowledge
from cotpd.llm.ask import AskResult, ask_all
from cotpd.llm.chat_request import encode_canonical
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question
from cotpd.llm.spending.budget import compute_worst_case
from tests.builders import build_post

TEXT = "Ada lands in Rome"
MULTIMODALITY = AskParams(kinds=(Kind.MULTIMODALITY,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.effect_noise((1200, 600), 50).convert("RGB").save(tmp_path / "large.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    return tmp_path


@pytest.fixture
def encode_picture(folder: Path) -> PictureEncoder:
    return PictureEncoder(PictureFolder(folder))


def get_parts(question: Question) -> list[dict]:
    return question.messages[-1]["content"]


def test_the_picture_itself_is_sent_and_the_caption_is_not(encode_picture):
    posts = [build_post(TEXT, id="a", image="large.png")]

    (question,) = build_questions(posts, {"a": "two portraits"}, MULTIMODALITY, encode_picture)

    text, picture = get_parts(question)
    assert TEXT in text["text"]
    assert "two portraits" not in text["text"]
    head, data = picture["image_url"]["url"].split(",", 1)
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (SIDE, SIDE // 2)


def test_the_same_picture_gives_the_same_question(folder):
    posts = [build_post(TEXT, id="a", image="large.png")]

    first, second = (
        list(build_questions(posts, {}, MULTIMODALITY, PictureEncoder(PictureFolder(folder)))) for _ in range(2)
    )

    assert first == second


def test_a_picture_that_cannot_be_shown_gives_way_to_the_caption_or_to_no_question(encode_picture):
    images = {"a": "broken.png", "b": "gone.png", "c": None, "d": None}
    posts = [build_post(TEXT, id=post_id, image=image) for post_id, image in images.items()]
    captions = {"a": "two portraits", "c": "a city"}

    questions = list(build_questions(posts, captions, MULTIMODALITY, encode_picture))

    assert [question.id for question in questions] == ["a", "c"]
    assert questions == list(build_questions(posts, captions, MULTIMODALITY))


def test_a_picture_needs_no_caption(encode_picture):
    posts = [build_post(TEXT, id="a", image="large.png")]
    params = AskParams(kinds=(Kind.MULTIMODALITY, Kind.NOUN))

    without_pictures = [kind for _, kind in find_missing_knowledge(posts, {}, params)]
    with_pictures = [kind for _, kind in find_missing_knowledge(posts, {}, params, encode_picture)]

    assert without_pictures == [Kind.NOUN]
    assert with_pictures == list(params.kinds)


def test_a_picture_changes_no_other_question(encode_picture):
    posts = [build_post(TEXT, id="a", image="large.png")]
    params = AskParams(kinds=(Kind.MULTIMODALITY, Kind.NOUN))

    questions = {question.kind: question for question in build_questions(posts, {}, params, encode_picture)}
    (noun,) = build_questions(posts, {}, params)

    assert questions[Kind.NOUN] == noun
    assert isinstance(get_parts(questions[Kind.MULTIMODALITY]), list)


def test_the_ledger_answers_the_same_picture_and_another_picture_is_another_question(
    folder, encode_picture, server, params
):
    def ask_about_picture() -> AskResult:
        posts = [build_post(TEXT, id="a", image="large.png")]
        return ask_all(build_questions(posts, {}, MULTIMODALITY, encode_picture), params, progress=False)

    first, second = ask_about_picture(), ask_about_picture()
    Image.new("RGB", (10, 10)).save(folder / "large.png")
    third = ask_about_picture()

    assert [result.from_server for result in (first, second, third)] == [1, 0, 1]
    assert server.received[0]["messages"][-1]["content"][1]["type"] == "image_url"


@pytest.mark.parametrize("shows_pictures", [False, True])
@pytest.mark.parametrize("kind", [Kind.NOUN, Kind.SENTENCE, Kind.MULTIMODALITY])
def test_questions_of_one_kind_begin_alike_on_the_wire(kind, shows_pictures, encode_picture, params):
    """A server can reuse the common beginning: all of the first messages, up to the words of the post."""
    texts = {"a": TEXT, "b": "Bob is off to Oslo"}
    posts = [build_post(text, id=post_id, image="large.png") for post_id, text in texts.items()]

    questions = build_questions(
        posts, {"a": "x", "b": "y"}, AskParams(kinds=(kind,)), encode_picture if shows_pictures else None
    )

    bodies = [question.build_request(params).body["messages"] for question in questions]
    first, second = (encode_canonical(messages) for messages in bodies)
    shared = count_common_beginning(first, second)
    assert shared >= len(encode_canonical(bodies[0][:-1])) - 1
    assert shared > 800


def count_common_beginning(first: str, second: str) -> int:
    return next(index for index, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1])


def test_a_limit_counts_a_picture_whatever_its_bytes(folder, encode_picture, params):
    Image.new("RGB", (10, 10)).save(folder / "small.png")
    posts = [build_post(TEXT, id="a", image=image) for image in ("small.png", "large.png")]

    small, large = count_prompt_tokens(build_questions(posts, {}, MULTIMODALITY, encode_picture), params)

    assert small == large
    assert 50_000 < small < 55_000


def count_prompt_tokens(questions: Iterable[Question], params: LlmParams) -> list[int]:
    """Return the most tokens that each question can send."""
    return [compute_worst_case(question.build_request(params))[0] for question in questions]


def build_known_post() -> Post:
    return build_post(TEXT, id="a", knowledge={Kind.NOUN: "Ada: a name"})


def test_knowledge_that_a_post_brought_along_is_not_asked_for():
    params = AskParams(kinds=(Kind.NOUN, Kind.SENTENCE))

    missing = list(find_missing_knowledge([build_known_post()], {}, params))

    assert [kind for _, kind in missing] == [Kind.SENTENCE]


def test_without_kinds_the_prompt_set_need_not_exist():
    params = AskParams(kinds=(), prompts="no-such-set")

    questions = list(build_questions([build_known_post()], {}, params))

    assert questions == []


def test_with_kinds_a_missing_prompt_set_is_an_error():
    with pytest.raises(ConfigError, match="no-such-set: there is no such prompt set"):
        list(build_questions([build_known_post()], {}, AskParams(prompts="no-such-set")))
