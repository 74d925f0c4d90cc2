"""A small evaluated data set: two posts, three rows, one mistake of each model."""

import pytest

from cotpd.config import Params
from cotpd.data.records import Entity, Kind, Post, Quarantined, Relation
from cotpd.data.tokenization import tokenize
from cotpd.evaluation.report import Material
from cotpd.evaluation.results_table import compute_metrics
from cotpd.pipeline.settings import list_settings
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
def material(posts, predictions):
    return Material(
        task="ner",
        encoder=Params().student.encoder,
        settings=list_settings(Params()),
        metrics=compute_metrics(predictions, "ner", seed=1, resamples=50),
        predictions=predictions,
        posts={"train": posts[:1], "test": posts},
        captions={"2": f"a tower {EVIL}"},
        knowledge={"2": {Kind.NOUN: f"Paris is a city {EVIL}"}},
        quarantine=[Quarantined(id="9", step="validate", reason=f"too long {EVIL}")] * 3,
        augmented={"style": {"tried": 7, "kept": 4}},
    )


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
