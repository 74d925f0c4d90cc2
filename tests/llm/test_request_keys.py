"""The keys of requests, frozen: a key that changes buys every answer in every existing ledger a second time."""

import pytest

from cotpd.augment.params import AugmentParams
from cotpd.data.records import Kind
from cotpd.knowledge.params import AskParams
from cotpd.knowledge.questions import attach_picture
from cotpd.llm.chat_request import build_chat_request
from cotpd.llm.params import LlmParams
from cotpd.llm.prompts import PromptSet

PICTURE = "data:image/jpeg;base64,/9j/4AAQSkZJRg=="
POST = "RT @ada: Charles met her in London , what a day !"
HELLO = [{"role": "user", "content": "hello \u00e9 \U0001f600"}]
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
FIELDS = {
    Kind.MULTIMODALITY: {"caption": "two people on a bridge"},
    Kind.STYLE: {"mentions": ["@ada", "Charles", "London"]},
    Kind.ENTITY: {"old": "Paris", "new": "London", "type": "LOC"},
}
SHIPPED = {
    ("default", Kind.NOUN): "897cde10948e2009332bcdd662aa4575ee1b1cb675577ac61144291776a5a6db",
    ("default", Kind.SENTENCE): "e2042acfa6276c156d30e7718e4aa102ee9607a17fbc0efb066f40a762f59189",
    ("default", Kind.MULTIMODALITY): "65363b3abb964dc73770aa77c244c0239bfc25de5891474df162a16af6d5a252",
    ("default", Kind.STYLE): "fdabdb99c199ab8893e3f79e6efcf3d52245e18146fd9c1367761d3724e58234",
    ("default", Kind.ENTITY): "17374ba88e85c137966f8718dc9d21f54cdf078c22c91b6c7984f1b4dec6573b",
    ("default", Kind.IMAGE): "bf41a2c93c895e68b36818f8f5b00d772a1ee05a7d495cc8bbe2109ec0133db8",
    ("paper", Kind.NOUN): "4ae9635b8e78e17993b431c348cd026eb5e93563158c175e53158ffcf07c3cfc",
    ("paper", Kind.SENTENCE): "03300bbc73660bd3e490dc6b689887991356bdf431965a948ce53e1adb34b503",
    ("paper", Kind.MULTIMODALITY): "5d330789eba828c1c26f8c91be879c03dfed82c4e3bcd6dced186e5ee4d31da5",
    ("paper", Kind.STYLE): "d1c281900d6c146388a87099a917d294d1a5d6e5dd667504a09a01ef88cc6405",
    ("paper", Kind.ENTITY): "db1a441da83c4c20b8a1cd784ac061b10562a581e9742abb3e0b054dbd67b9fe",
    ("paper", Kind.IMAGE): "6756ce9ec458dd6fc8109ffd6665f23b1bce564356b633a9e882792f02b2adfd",
}
PARAMS = [
    ({}, 64, None, "75f25dbe99cb33ad50a199b728b8bfdd99b19a3f3e9010e28faf2c6fa6550b35"),
    ({"temperature": 0.5}, 64, None, "c2164ebd13f592765d7a1fc37f1e2486cb9459eaa1b2208d9bb26a7edf08fb9e"),
    ({"temperature": None}, 64, None, "53f3cc1b277bcf4673d8f785c3fe485c3c77d1dd3eeae6ace4913e77438544d5"),
    ({"seed": None}, 64, None, "046f99ed060571b5667d5758edab850e0555c0cac45ff291e4d7bbb3701ee9e3"),
    (
        {"length_key": "max_completion_tokens"},
        64,
        None,
        "e2dd6a6308e579c9c79f9119610cd6cc7cc971c45a28a7b56ff971a1f7346408",
    ),
    ({}, 64, OBJECT, "dc74e43593b244e9dbf2ecce337b4e0822e9762dba08143aa2ec87e5b8125b48"),
    ({"structured": False}, 64, OBJECT, "75f25dbe99cb33ad50a199b728b8bfdd99b19a3f3e9010e28faf2c6fa6550b35"),
    ({}, 64, {"type": "string"}, "75f25dbe99cb33ad50a199b728b8bfdd99b19a3f3e9010e28faf2c6fa6550b35"),
    (
        {"base_url": "https://api.openai.com/v1/", "model": "gpt-4o-mini"},
        48,
        None,
        "e4080d50873ca5825d0e5a58b9e3ab2ecf710082658be592bf4b4d8fc5f0830f",
    ),
]


@pytest.mark.parametrize(("name", "kind"), SHIPPED)
def test_a_shipped_prompt_asks_under_the_key_that_it_always_had(name, kind):
    rendered = PromptSet.load(name).render(kind, text=POST, **FIELDS.get(kind, {}))
    most = AugmentParams().fact_check_max_tokens if kind is Kind.ENTITY else AskParams().max_tokens

    call = build_chat_request(LlmParams(), rendered.messages, max_tokens=most, schema=rendered.schema)

    assert call.key == SHIPPED[name, kind]


@pytest.mark.parametrize(("changes", "most", "schema", "key"), PARAMS)
def test_parameters_ask_under_the_key_that_they_always_had(changes, most, schema, key):
    call = build_chat_request(LlmParams(**changes), HELLO, max_tokens=most, schema=schema)

    assert call.key == key


def test_a_picture_asks_under_the_key_that_it_always_had():
    call = build_chat_request(LlmParams(), attach_picture(HELLO, PICTURE), max_tokens=40)

    assert call.key == "1d0e5238172b7fb5ed580c94ddf35e570e85392d75d221597e860a8d8ca6062a"
