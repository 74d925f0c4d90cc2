"""The network: what each view sees, what learns from which loss, and every encoder family alike."""

import itertools

import pytest
import torch

from cotpd.student.batches import collate
from cotpd.student.heads import NerHead
from cotpd.student.labels import LabelSet
from cotpd.student.params import DistilParams, StudentParams
from cotpd.student.persistence import build_model
from cotpd.student.views import ExampleEncoder


def make_setup(encoder: str, examples, task: str = "ner", **params):
    sizes = {"prompt_length": 3, "generator_heads": 2, "max_length": 40, "knowledge_length": 48, "dropout": 0.0}
    params = StudentParams(encoder=encoder, **(sizes | params))
    labels = LabelSet.build(task, ["PER", "LOC", "ORG"] if task == "ner" else ["lives_in", "None"])
    torch.manual_seed(1)
    model, tokenizer, reads = build_model(params, labels)
    tokens = ExampleEncoder(tokenizer, params, labels, model.vocabulary, reads)
    encoded = tokens.encode(examples)
    return model.eval(), lambda view, chosen=encoded: collate(chosen, view, tokens), encoded


def test_padding_and_company_change_no_scores_in_any_family(any_encoder, ner_examples):
    model, batch, encoded = make_setup(any_encoder, ner_examples)

    with torch.no_grad():
        for view in ("text", "prompt", "knowledge"):
            together = model(batch(view), view)
            for at, example in enumerate(encoded):
                alone = model(batch(view, [example]), view)[0]
                torch.testing.assert_close(together[at, : len(alone)], alone, atol=1e-4, rtol=1e-4)


def test_a_view_through_embeddings_is_the_encoder_on_ids_in_any_family(any_encoder, ner_examples):
    model, batch, _ = make_setup(any_encoder, ner_examples)

    for view in ("text", "knowledge"):
        read = batch(view)
        with torch.no_grad():
            states = model.encoder(input_ids=read.ids, attention_mask=read.attention.long()).last_hidden_state
            torch.testing.assert_close(
                model.compute_states(read, view), states[read.window_of_state, read.position_of_state]
            )


def test_prompts_stand_in_front_as_tokens_would_in_any_family(any_encoder, ner_examples):
    """Prompts that are the embeddings of words: positions and types are those of a text that holds the words."""
    model, batch, _ = make_setup(any_encoder, ner_examples)
    read = batch("prompt")
    words = read.ids[:1, 1:4].expand(len(read.ids), -1)
    ids = torch.cat([read.ids[:, :1], words, read.ids[:, 1:]], 1)
    attention = torch.cat([torch.ones_like(words, dtype=torch.bool), read.attention], 1)
    model.generator.forward = lambda *_: (model.embed(words), None)

    with torch.no_grad():
        states = model.encoder(input_ids=ids, attention_mask=attention.long()).last_hidden_state
        torch.testing.assert_close(
            model.compute_states(read, "prompt"), states[read.window_of_state, read.position_of_state + 3]
        )


def test_prompts_depend_on_the_post_and_change_the_scores(bert, ner_examples):
    model, batch, _ = make_setup(bert, ner_examples[:2])
    prompt = batch("prompt")

    with torch.no_grad():
        vectors, attention = model.generator(model.embed(prompt.ids), prompt.attention, with_attention=True)
        assert torch.equal(model.compute_prompt_attention(prompt), attention)
        assert torch.allclose(model.generator(model.embed(prompt.ids), prompt.attention)[0], vectors, atol=1e-6)
        assert not torch.allclose(vectors[0], vectors[1])
        assert not torch.allclose(model(prompt, "prompt"), model(prompt, "text"))
    assert vectors.shape == (2, 3, 32)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 3))
    assert not attention.masked_select(~prompt.attention.unsqueeze(1)).any()


def test_the_prompt_view_sees_no_knowledge_and_the_knowledge_view_does(bert, ner_examples):
    bare = [example.model_copy(update={"knowledge": {}, "caption": None}) for example in ner_examples]
    model, batch, encoded = make_setup(bert, [ner_examples[0], bare[0]])

    with torch.no_grad():
        for view, same in (("prompt", True), ("text", True), ("knowledge", False)):
            with_it, without = (model(batch(view, [example]), view) for example in encoded)
            assert torch.equal(with_it, without) == same


def test_a_post_in_windows_gives_one_state_a_word(bert, ner_examples):
    long = ner_examples[0]
    times = 12
    text = " ".join([long.text] * times)
    step = len(long.text) + 1
    offsets: tuple[tuple[int, int], ...] = ()
    for n in range(times):
        offsets += tuple((start + n * step, end + n * step) for start, end in long.offsets)
    stretched = long.model_copy(
        update={"text": text, "tokens": long.tokens * times, "offsets": offsets, "entities": ()}
    )
    model, batch, encoded = make_setup(bert, [stretched, ner_examples[1]], max_length=20)
    assert len(encoded[0].windows) > 2

    with torch.no_grad():
        scores = model(batch("prompt"), "prompt")
        alone = model(batch("prompt", [encoded[1]]), "prompt")

    assert scores.shape[1] == len(stretched.tokens)
    torch.testing.assert_close(scores[1, : alone.shape[1]], alone[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("task", ["ner", "re"])
def test_the_divergence_teaches_the_prompt_side_only(task, bert, ner_examples, re_examples):
    model, batch, _ = make_setup(bert, ner_examples if task == "ner" else re_examples, task)
    knowledge, prompt = model(batch("knowledge"), "knowledge"), model(batch("prompt"), "prompt")

    for kind in ("sequence", "token"):
        grads = torch.autograd.grad(
            model.head.compute_kl(knowledge, prompt, batch("prompt").mask, DistilParams(kl=kind, temperature=2)),
            (knowledge, prompt),
            allow_unused=True,
            retain_graph=True,
        )
        assert grads[0] is None
        assert grads[1].abs().sum() > 0


def test_a_mentions_score_is_the_probability_of_just_that_mention():
    labels = LabelSet.build("ner", ["A", "B"])
    torch.manual_seed(0)
    head = NerHead(4, labels, constrained=True, dropout=0.0)
    for weight in head.crf.parameters():
        torch.nn.init.normal_(weight)
    emissions = torch.randn(6, 4, 5) * 2
    mask = torch.ones(6, 4, dtype=torch.bool)
    mask[0, 3] = mask[1, 1:] = False
    count = 0
    for row, mentions in enumerate(head.decode(emissions, mask)):
        length = int(mask[row].sum())
        paths = torch.tensor(list(itertools.product(range(5), repeat=length)))
        every = torch.ones(len(paths), length, dtype=torch.bool)
        p = head.crf.score(emissions[row, :length].expand(len(paths), -1, -1), paths, every).softmax(0)
        for start, end, kind, score in mentions:
            inside = [(start, end, kind) in labels.decode_spans(path.tolist()) for path in paths]
            assert score == pytest.approx(p[torch.tensor(inside)].sum().item(), abs=1e-4)
            count += 1
    assert count > 3
