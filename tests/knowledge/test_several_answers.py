"""Several answers to one question: requests of their own, checked one by one, and made into one text."""

import pytest

from cotpd.config import Params
from cotpd.data.records import Kind, Knowledge
from cotpd.errors import ConfigError
from cotpd.expectations.params import ValidateParams
from cotpd.knowledge.params import AskParams
from cotpd.knowledge.questions import build_questions
from cotpd.knowledge.retry import build_retry_params, validate_with_retries
from cotpd.knowledge.several_answers import choose_agreed, combine_answers, join_distinct
from cotpd.llm.ask import ask_all
from cotpd.llm.params import LlmParams
from tests.builders import build_post
from tests.chat_server import FakeServer, build_completion, build_reply

POSTS = [build_post("Ada lands in Rome", id="a")]
THREE = AskParams(kinds=(Kind.SENTENCE,), answers=3)
TEXTS = (
    "Ada is a singer who tours in Rome.",
    "Ada is a mathematician who travels a lot.",
    "Ada is a mathematician who visits Rome a lot.",
)


def build_requests(llm: LlmParams, answers: int):
    params = THREE.model_copy(update={"answers": answers})
    return [question.build_request(llm) for question in build_questions(POSTS, {}, params)]


@pytest.mark.parametrize("seed", [13, None])
@pytest.mark.parametrize("temperature", [0.0, 0.7, 2.0])
def test_each_answer_is_a_request_of_its_own_and_the_first_is_the_one_it_always_was(seed, temperature):
    llm = LlmParams(seed=seed, temperature=temperature)

    requests = build_requests(llm, 3)

    assert len({request.key for request in requests}) == 3
    assert requests[0] == build_requests(llm, 1)[0]
    assert all(0 < request.body["temperature"] <= 2 for request in requests[1:])


def test_further_answers_are_the_draws_that_another_seed_and_temperature_gave_before():
    requests = build_requests(LlmParams(), 3)

    sampled = LlmParams(temperature=0.7)
    seeds = [sampled.model_copy(update={"seed": seed}) for seed in (14, 15)]
    assert requests[1:] == [build_requests(llm, 1)[0] for llm in seeds]


@pytest.mark.parametrize("seed", [13, None])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_retry_of_one_answer_is_no_other_answer(seed, temperature):
    llm = LlmParams(seed=seed, temperature=temperature)

    first, second = build_retry_params(llm, 3), build_retry_params(llm, 6)

    requests = [*build_requests(llm, 3), *build_requests(first, 3), *build_requests(second, 3)]
    assert len({request.key for request in requests}) == 9


def test_without_seed_and_temperature_several_answers_are_refused_before_anything_is_asked():
    sampling = {"seed": None, "temperature": None}

    with pytest.raises(ValueError, match=r"ask\.answers: 3 answers to one question need llm.seed"):
        Params.model_validate({"llm": sampling, "ask": {"answers": 3}})
    with pytest.raises(ConfigError, match="every draw is the same request"):
        build_requests(LlmParams(**sampling), 3)


def ask_three(server: FakeServer, llm: LlmParams, texts):
    server.faults = [build_reply(build_completion(text)) for text in texts]
    params = llm.model_copy(update={"concurrency": 1})
    return ask_all(build_questions(POSTS, {}, THREE), params, progress=False).answers


def check(answers, llm: LlmParams, ask_params: AskParams = THREE, reask: int = 0):
    lenient = ValidateParams(max_failed_share=1.0, reask=reask)
    return validate_with_retries(answers, POSTS, {}, params=lenient, ask_params=ask_params, llm=llm)


def test_three_answers_are_asked_for_and_the_one_that_the_others_agree_with_is_taken(server, params):
    answers = ask_three(server, params, TEXTS)

    [knowledge], quarantined, _ = check(answers, params)

    assert [answer.draw for answer in answers] == [0, 1, 2]
    assert (knowledge.text, set(knowledge.answers)) == (TEXTS[2], set(TEXTS))
    assert quarantined == []


def test_an_answer_that_fails_is_quarantined_by_its_draw_and_the_others_stay(server, params):
    answers = ask_three(server, params, TEXTS)
    answers[1] = answers[1].model_copy(update={"text": "I cannot help with that."})

    [knowledge], [failed], _ = check(answers, params)

    assert (failed.id, failed.row["draw"]) == ("a", 1)
    assert len(knowledge.answers) == 2


def test_only_the_answer_that_fails_is_asked_for_again(server, params):
    answers = ask_three(server, params, TEXTS)
    answers[1] = answers[1].model_copy(update={"text": "I cannot help with that.", "key": "old"})
    server.received.clear()
    server.always = build_reply(build_completion("Ada is a mathematician in Rome."))

    [knowledge], quarantined, replaced = check(answers, params, reask=1)

    assert (len(server.received), replaced, quarantined) == (1, 1, [])
    assert "Ada is a mathematician in Rome." in knowledge.answers


def test_where_all_answers_fail_there_is_no_knowledge(server, params):
    answers = [
        answer.model_copy(update={"text": "I cannot help with that."})
        for answer in ask_three(server, params, TEXTS)
    ]

    knowledge, quarantined, _ = check(answers, params)

    assert (knowledge, len(quarantined)) == ([], 3)


def test_joined_takes_all_answers_that_differ(server, params):
    joined = THREE.model_copy(update={"combine": "joined"})
    answers = ask_three(server, params, [TEXTS[0], TEXTS[1], TEXTS[0]])

    [knowledge], _, _ = check(answers, params, joined)

    assert sorted(knowledge.text) == sorted(f"{TEXTS[0]} {TEXTS[1]}")


def test_of_answers_that_agree_equally_the_first_is_taken():
    assert choose_agreed(["Ada sings", "Bob dances"]) == "Ada sings"
    assert choose_agreed(["Bob dances", "Ada sings", "Ada sings loudly"]) == "Ada sings"
    assert choose_agreed(["c b f f b", "c", "c c g f b"]) == "c b f f b"  # a running sum would round them apart


def test_answers_of_the_same_words_are_joined_once():
    assert join_distinct(["Ada: a singer.", "Rome: a city.", "ada, a singer"]) == "Ada: a singer. Rome: a city."


def test_posts_and_kinds_keep_their_order_and_a_single_answer_stays_as_it_is():
    rows = [
        Knowledge(id="b", kind=Kind.NOUN, text="one"),
        Knowledge(id="b", kind=Kind.NOUN, text="one"),
        Knowledge(id="a", kind=Kind.NOUN, text="two"),
    ]

    combined = combine_answers(rows, "agreed")

    assert [(row.id, row.text, row.answers) for row in combined] == [
        ("b", "one", ("one", "one")),
        ("a", "two", ()),
    ]
