"""From raw text to an answer: reasoning and control tokens go, what merely speaks of them stays."""

import time

import pytest

from cotpd.completions import clean_answer, has_control_tokens, strip_control_tokens

ANSWER = "Eileen Collins: astronaut, person; Kennedy: spaceport, place."
MONOLOGUE = "The reader wants the special words. Collins could be a singer.\nHmm, wait: an astronaut"
FINISHED = {
    "think": f"<think>\n{MONOLOGUE}\n</think>\n\n{ANSWER}",
    "upper case": f"<THINK>{MONOLOGUE}</Think>{ANSWER}",
    "thinking": f"<thinking>{MONOLOGUE}</thinking>\n{ANSWER}",
    "reasoning": f"<reasoning>{MONOLOGUE}</reasoning>{ANSWER}",
    "thought": f"<thought>{MONOLOGUE}</thought>{ANSWER}",
    "reflection": f"<reflection>{MONOLOGUE}</reflection>{ANSWER}",
    "scratchpad": f"<scratchpad>{MONOLOGUE}</scratchpad>{ANSWER}",
    "with attributes": f'<think type="deep" budget=3>{MONOLOGUE}</think>{ANSWER}',
    "only the closing tag": f"{MONOLOGUE}\n</think>\n\n{ANSWER}",
    "only the closing tag, glued": f"{MONOLOGUE}.</think>{ANSWER}",
    "closing tag first": f"</think>\n\n{ANSWER}",
    "empty": f"<think>\n\n</think>\n\n{ANSWER}",
    "self-closing": f"<think/>{ANSWER}",
    "several": f"<think>{MONOLOGUE}</think>\n<think>again</think>\n{ANSWER}",
    "nested": f"<thinking>a <thinking>b</thinking> c</thinking>{ANSWER}",
    "one within another": f"<thinking>a <reflection>b</reflection> c</thinking><output>{ANSWER}</output>",
    "two closing tags": f"a </think> b\n</think>\n{ANSWER}",
    "an unclosed one within": f"<think>I write <think> first.\n</think>{ANSWER}",
    "another spelling closes": f"<think>{MONOLOGUE}</thinking>{ANSWER}",
    "before a quotation": f'{MONOLOGUE}. </think> "{ANSWER}"',
    "its own words within": f"<think>a. Here is my response: b</think>{ANSWER}",
    "after a greeting": f"<think>{MONOLOGUE}</think><think>more</think>{ANSWER}",
    "before a token": f"<s><think>{MONOLOGUE}</think>{ANSWER}</s>",
    "inner monologue": f"<inner_monologue>{MONOLOGUE}</inner_monologue>{ANSWER}",
    "thought process": f"<thought_process>{MONOLOGUE}</thought_process>{ANSWER}",
    "Magistral": f"[THINK]{MONOLOGUE}[/THINK]{ANSWER}",
    "Kimi": f"\u25c1think\u25b7{MONOLOGUE}\u25c1/think\u25b7{ANSWER}",
    "Seed": f"<seed:think>{MONOLOGUE}</seed:think>{ANSWER}<seed:eos>",
    "Command": f"<|START_THINKING|>{MONOLOGUE}<|END_THINKING|><|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>",
    "Sky": f"<|begin_of_thought|>{MONOLOGUE}<|end_of_thought|>\n<|begin_of_solution|>{ANSWER}<|end_of_solution|>",
    "DeepSeek": f"<\uff5cbegin\u2581of\u2581sentence\uff5c><think>{MONOLOGUE}</think>{ANSWER}<\uff5cend\u2581of\u2581sentence\uff5c>",
    "begin and end behind the name": f"<|thinking_start|>{MONOLOGUE}<|thinking_end|>{ANSWER}",
    "Apertus": f"<|inner_prefix|>{MONOLOGUE}<|inner_suffix|>{ANSWER}",
    "escaped": f"&lt;think&gt;{MONOLOGUE}&lt;/think&gt;{ANSWER}",
    "Granite": f"Here is my thought process: {MONOLOGUE}. Here is my response: {ANSWER}",
    "Ollama": f"Thinking...\n{MONOLOGUE}\n...done thinking.\n\n{ANSWER}",
    "Open WebUI": f'<details type="reasoning" done="true">\n<summary>Thought</summary>\n{MONOLOGUE}</details>\n{ANSWER}',
    "Gemma": f"<|channel>thought\n{MONOLOGUE}<channel|>{ANSWER}<turn|>",
    "gpt-oss": f"<|channel|>analysis<|message|>{MONOLOGUE}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>",
    "gpt-oss, begun by the server": f"analysis<|message|>{MONOLOGUE}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}",
    "gpt-oss, without messages": f"<|channel|>analysis {MONOLOGUE}<|channel|>final {ANSWER}",
    "gpt-oss, without marks": f"analysis{MONOLOGUE}assistantfinal{ANSWER}",
    "R1's answer tags": f"<think>{MONOLOGUE}</think>\n<answer>{ANSWER}</answer>",
    "answer tags after prose": f"{MONOLOGUE}\n<answer>\n{ANSWER}\n</answer>",
}  # fmt: skip
UNFINISHED = {
    "cut": f"<think>\n{MONOLOGUE}",
    "cut at once": "<think>",
    "thinking": f"<Thinking>{MONOLOGUE}",
    "after a part of the answer": f"Eileen Collins: astronaut.\n<think>{MONOLOGUE}",
    "the second one": f"<think>a</think>\n<think>{MONOLOGUE}",
    "within, the outer one is cut": "<thinking>a <reflection>b</reflection> and so",
    "with the words of an answer": f"<think>{MONOLOGUE}. Here's my response: Eileen",
    "with another pair's end": f"<think>{MONOLOGUE}</details> and",
    "Magistral": f"[THINK]{MONOLOGUE}",
    "Kimi": f"\u25c1think\u25b7{MONOLOGUE}",
    "gpt-oss": f"<|channel|>analysis<|message|>{MONOLOGUE}",
    "gpt-oss, without marks": f"analysis{MONOLOGUE}",
    "Command": f"<|START_THINKING|>{MONOLOGUE}",
}
MENTIONS = [
    "The post jokes about the <think> tag that AI models print before they answer.",
    "The author saw </think>, the mark that ends a model's reasoning, in a published book.",
    'The author asks what "<think>" and "</think>" mean.',
    "The post explains that <think>...</think> blocks hold what a model reasoned.",
    "The author mocks <think> and </think> tags in a student's essay.",
    "<think>: tag that opens a model's reasoning, work; DeepSeek: AI company, org.",
    "A reflection on the day. <3",
    "analysis of the match: Murray won.",
    "I [think] he meant London.",
]
TOKENS = [
    "</s>", "<s>", "<eos>", "<bos>", "<pad>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<end_of_turn>",
    "<start_of_turn>", "[/INST]", "[INST]", "<<SYS>>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "<\uff5cAssistant\uff5c>",
    "<|assistant|>", "<end_of_utterance>", "<unused42>", "<extra_id_0>", "<0x0A>", "[EOS]", "[PAD]", "[end of text]",
    "<turn|>", "<im_end>", "</assistant>", "<EOS_TOKEN>", "<end>", "[DONE]", "<|START_OF_TURN_TOKEN|>", "<endoftext>", "<tool_call>", "<seed:eos>",
]  # fmt: skip


@pytest.mark.parametrize("name", FINISHED)
def test_finished_reasoning_is_removed_and_the_answer_stays(name):
    cleaned = clean_answer(FINISHED[name])

    assert cleaned.text.strip('"') == ANSWER
    assert cleaned.finished


@pytest.mark.parametrize("name", UNFINISHED)
def test_of_unfinished_reasoning_nothing_is_taken_for_an_answer(name):
    cleaned = clean_answer(UNFINISHED[name])

    assert cleaned.text == ""
    assert not cleaned.finished


@pytest.mark.parametrize("text", MENTIONS)
def test_an_answer_that_speaks_of_a_mark_stays_as_it_is(text):
    assert clean_answer(text).text == text


def test_a_yes_behind_empty_reasoning_is_a_yes():
    assert clean_answer("<think></think>yes").text == "yes"


@pytest.mark.parametrize("token", TOKENS)
def test_a_control_token_is_removed_around_an_answer_and_noticed_inside(token):
    assert strip_control_tokens(f"{token}\n {ANSWER} {token}{token}\n") == ANSWER
    assert not has_control_tokens(ANSWER)
    assert has_control_tokens(f"Eileen Collins{token} astronaut")


def test_the_header_of_a_turn_goes_with_its_role():
    header = "<|start_header_id|>assistant<|end_header_id|>\n\n"

    assert strip_control_tokens(header + ANSWER) == ANSWER
    assert strip_control_tokens("<|im_start|>assistant\n" + ANSWER) == ANSWER


def test_a_token_that_was_cut_off_itself_goes_too():
    assert strip_control_tokens(f"{ANSWER}<|im_e") == ANSWER
    assert strip_control_tokens("I <3 this") == "I <3 this"


@pytest.mark.parametrize("text", [ANSWER, "<think>", "</s>", "", "a < b | c > d", "[5] of <b>us</b>"])
def test_cleaning_twice_changes_nothing(text):
    once = clean_answer(text).text

    assert clean_answer(once).text == once


@pytest.mark.parametrize(
    "piece", ["<think>", "</think>", "</s>", " ", "\n", "<", "[", "<|", "&lt;", "here's ", "<answer>", "analysis"]
)
def test_a_hostile_answer_takes_no_time(piece):
    began = time.monotonic()

    clean_answer(piece * 30_000)

    assert time.monotonic() - began < 10  # most take milliseconds; what grows with the square would take minutes
