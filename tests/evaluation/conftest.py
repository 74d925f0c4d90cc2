"""A small evaluated data set: two posts, three rows, one mistake of each model."""

from types import SimpleNamespace

import pytest

from cotpd.data.records import Entity, Kind, Post, Relation
from cotpd.data.tokenization import tokenize
from cotpd.evaluation.results_table import compute_metrics
from cotpd.student import Student
from cotpd.student.examples import build_examples
from cotpd.student.neighbours import Neighbours
from cotpd.student.tasks import NerPrediction
from tests.builders import build_posts, build_student
from tests.evaluation.untrusted import EVIL


def make_annotated_post(key, text, *entities, relations=()):
    tokens = tokenize(text)
    return Post(
        id=key,
        text=text,
        tokens=tuple(token.text for token in tokens),
        offsets=tuple((token.start, token.end) for token in tokens),
        entities=tuple(Entity(start=start, end=end, type=kind) for start, end, kind in entities),
        relations=relations,
        image="a.jpg",
    )


@pytest.fixture
def posts():
    return [
        make_annotated_post(
            "1",
            "Ada Lovelace & Co",
            (0, 2, "PER"),
            (3, 4, "ORG"),
            relations=(Relation(head=0, tail=1, label="r"),),
        ),
        make_annotated_post("2", f"Paris {EVIL}", (0, 1, "LOC")),
    ]


@pytest.fixture
def predictions(posts):
    wrong = {("1", "baseline"), ("2", "student")}
    return [
        NerPrediction(
            id=sample.id,
            split="test",
            model=model,
            gold=[[e.start, e.end, e.type] for e in sample.entities],
            predicted=[]
            if (sample.id, model) in wrong
            else [[e.start, e.end, e.type, 0.9] for e in sample.entities],
        )
        for model in ("baseline", "student", "knowledge")
        for sample in posts
    ]


@pytest.fixture
def material(predictions):
    """The scores of these predictions beside them."""
    metrics = compute_metrics(predictions, "ner", seed=1, resamples=50)
    return SimpleNamespace(metrics=metrics, predictions=predictions)


@pytest.fixture
def index(encoder, tmp_path, monkeypatch):
    """Of an untrained student: what it finds is chance, what is shown for it is not."""
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    build_student(encoder).save(tmp_path / "m")
    knowledge = {f"p{n}": {Kind.SENTENCE: "about the city", Kind.NOUN: f"noun {n}"} for n in range(12)}
    examples = build_examples(build_posts(12), "ner", {"p0": "a picture"}, knowledge)
    return Neighbours.build(
        Student.from_pretrained(tmp_path / "m", "cpu"), tmp_path / "m", examples, progress=False
    )
