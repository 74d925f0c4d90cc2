"""A predictor without weights: each word in capitals is a mention, of the type that the predictor was given."""

import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from cotpd.data.records import WordSplitting
from cotpd.serving.served_version import ServedVersion
from cotpd.student.labels import LabelSet
from cotpd.student.prediction_input import PredictionInput
from cotpd.student.predictor import Mention, Relation

FAILING = "this text fails"
PAIR = {"text": "Ada works for Acme", "head": "Ada", "tail": [14, 18]}


class FakePredictor:
    """Predicts by rule; ``gate`` holds it up while it is cleared.

    Attributes:
        batches: How many texts each call had.
    """

    backend, words = "torch", WordSplitting()

    def __init__(self, task: str = "ner", label: str = "PER", score: float = 0.9) -> None:
        self.labels = LabelSet.build(task, (label,) if task == "ner" else ("None", label))
        self.label, self.score = label, score
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []

    def predict(self, texts: Iterable[str], batch_size: int = 32) -> Iterator[list[Mention]]:
        texts = [text if isinstance(text, str) else text.text for text in texts]
        self.wait(texts)
        for text in texts:
            matches = re.finditer(r"\b[A-Z]+\b", text)
            yield [Mention(*match.span(), match[0], self.label, self.score) for match in matches]

    def predict_relations(self, pairs: Iterable[Any], batch_size: int = 32) -> Iterator[Relation]:
        pairs = list(pairs)
        self.wait([text for text, _, _ in pairs])
        for _ in pairs:
            yield Relation(self.label, self.score)

    def wait(self, texts: list[str]) -> None:
        self.batches.append(len(texts))
        assert self.gate.wait(30)
        if FAILING in texts:
            raise RuntimeError(FAILING)


def build_version(version: str = "1", task: str = "ner", **options: Any) -> ServedVersion:
    return ServedVersion("fake", version, f"models:/fake/{version}", FakePredictor(task, **options))


def build_inputs(*texts: str) -> list[PredictionInput]:
    return [PredictionInput(text) for text in texts]
