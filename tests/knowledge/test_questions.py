"""The questions for knowledge: which are put, what they share, and the picture where the model is to see it."""

import base64
import io
from itertools import takewhile

import pytest
from PIL import Image

from cotpd.data.picture_files import PictureFolder
from cotpd.data.records import Kind
from cotpd.images.picture_encoder import SIDE, Sight
from cotpd.knowledge.params import AskParams
from cotpd.knowledge.questions import knowledge_requests, knowledge_wanted
from cotpd.llm.ask import ask_all
from cotpd.llm.chat_request import build_chat_request, encode_canonical
from cotpd.llm.spending.budget import compute_worst_case
from tests.expectations.test_check import make_post

MULTIMODALITY = AskParams(kinds=(Kind.MULTIMODALITY,))


@pytest.fixture
def folder(tmp_path):
    Image.effect_noise((1200, 600), 50).convert("RGB").save(tmp_path / "large.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    return tmp_path


def post(id: str, image: str | None = None):
    return make_post(id, "Ada lands in Rome").model_copy(update={"image": image})


def parts(request) -> list[dict]:
    return request.messages[-1]["content"]


def test_the_picture_itself_is_sent_and_the_caption_is_not(folder):
    shown, captions = Sight(PictureFolder(folder)), {"a": "two portraits"}
    (request,) = knowledge_requests([post("a", "large.png")], captions, MULTIMODALITY, shown)
    words, picture = parts(request)
    assert "Ada lands in Rome" in words["text"]
    assert "two portraits" not in words["text"]
    head, data = picture["image_url"]["url"].split(",", 1)
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (SIDE, SIDE // 2)
    (again,) = knowledge_requests([post("a", "large.png")], captions, MULTIMODALITY, Sight(PictureFolder(folder)))
    assert again == request


def test_a_picture_that_cannot_be_shown_gives_way_to_the_caption_or_to_no_question(folder):
    posts = [post("a", "broken.png"), post("b", "gone.png"), post("c"), post("d")]
    captions = {"a": "two portraits", "c": "a city"}
    asked = list(knowledge_requests(posts, captions, MULTIMODALITY, Sight(PictureFolder(folder))))
    assert [request.id for request in asked] == ["a", "c"]
    assert asked == list(knowledge_requests(posts, captions, MULTIMODALITY))


def test_a_picture_needs_no_caption_and_changes_no_other_question(folder):
    posts, kinds = [post("a", "large.png")], AskParams(kinds=(Kind.MULTIMODALITY, Kind.NOUN))
    see = Sight(PictureFolder(folder))
    assert [kind for _, kind in knowledge_wanted(posts, {}, kinds)] == [Kind.NOUN]
    assert [kind for _, kind in knowledge_wanted(posts, {}, kinds, see)] == list(kinds.kinds)
    shown = {request.kind: request for request in knowledge_requests(posts, {}, kinds, see)}
    (noun,) = knowledge_requests(posts, {}, kinds)
    assert shown[Kind.NOUN] == noun
    assert isinstance(parts(shown[Kind.MULTIMODALITY]), list)


def test_what_is_sent_is_answered_from_the_ledger_and_another_picture_is_another_question(folder, server, params):
    def asked():
        return ask_all(
            knowledge_requests([post("a", "large.png")], {}, MULTIMODALITY, Sight(PictureFolder(folder))),
            params,
            progress=False,
        )

    assert (asked().asked, asked().from_ledger) == (1, 1)
    assert server.asked[0]["messages"][-1]["content"][1]["type"] == "image_url"
    Image.new("RGB", (10, 10)).save(folder / "large.png")
    assert asked().asked == 1


@pytest.mark.parametrize("see", [False, True])
@pytest.mark.parametrize("kind", [Kind.NOUN, Kind.SENTENCE, Kind.MULTIMODALITY])
def test_questions_of_one_kind_begin_alike_on_the_wire(kind, see, folder, params):
    """What a server can reuse: all of the first messages, up to the words of the post."""
    posts = [make_post(id, text) for id, text in (("a", "Ada lands in Rome"), ("b", "Bob is off to Oslo"))]
    posts = [one.model_copy(update={"image": "large.png"}) for one in posts]
    shown = Sight(PictureFolder(folder)) if see else None
    asked = knowledge_requests(posts, {"a": "x", "b": "y"}, AskParams(kinds=(kind,)), shown)
    bodies = [
        build_chat_request(params, one.messages, max_tokens=one.max_tokens).body["messages"] for one in asked
    ]
    one, other = (encode_canonical(messages) for messages in bodies)
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))
    assert shared >= len(encode_canonical(bodies[0][:-1])) - 1
    assert shared > 800


def test_a_limit_holds_for_a_picture_of_few_bytes_and_does_not_count_the_bytes_of_a_large_one(folder, params):
    Image.new("RGB", (10, 10)).save(folder / "small.png")
    posts = [post("a", "small.png"), post("b", "large.png")]
    asked = knowledge_requests(posts, {}, MULTIMODALITY, Sight(PictureFolder(folder)))
    small, large = (
        compute_worst_case(build_chat_request(params, one.messages, max_tokens=64))[0] for one in asked
    )
    assert small == large
    assert 50_000 < small < 55_000
