"""The token classification pipeline of transformers behind the application of `cotpd serve`, to compare with.

    python -m benchmarks.pipeline_server ENCODER

Its head is untrained. It listens on a free port of this machine and prints its address.
"""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from transformers import AutoModelForTokenClassification, AutoTokenizer, logging, pipeline

from cotpd.serving.application import build_application
from cotpd.serving.http_server import open_listener, serve_application
from cotpd.serving.limits import Limits
from cotpd.serving.served_version import ServedVersion
from cotpd.serving.service import Service
from cotpd.student.labels import LabelSet
from cotpd.student.persistence import resolve_encoder
from cotpd.student.predictor import Mention

NAME = "pipeline"


class PipelinePredictor:
    """The pipeline as a predictor."""

    backend = "torch"

    def __init__(self, encoder: str) -> None:
        source = resolve_encoder(encoder)
        self.labels = LabelSet.build("ner", ["PER", "LOC", "ORG", "MISC"])
        self._pipeline: Any = pipeline(
            "token-classification",
            model=AutoModelForTokenClassification.from_pretrained(source, num_labels=9).eval(),
            tokenizer=AutoTokenizer.from_pretrained(source),
            aggregation_strategy="first",
            device="cpu",
        )

    def predict(self, texts: Iterable[str], batch_size: int = 32) -> Iterator[list[Mention]]:
        """Find the mentions of each text."""
        for text, entities in zip(texts, self._pipeline(list(texts), batch_size=batch_size), strict=True):
            spans = [(entity["start"], entity["end"]) for entity in entities]
            scores = [(entity["entity_group"], float(entity["score"])) for entity in entities]
            yield [Mention(*span, text[slice(*span)], *score) for span, score in zip(spans, scores, strict=True)]


def main() -> None:
    """Serve until SIGTERM."""
    logging.set_verbosity_error()
    predictor: Any = PipelinePredictor(sys.argv[1])
    service = Service(ServedVersion(NAME, None, NAME, predictor), Limits())
    service.start()
    try:
        serve_application(
            build_application(service, is_logged=False), open_listener("127.0.0.1", 0), service.limits
        )
    finally:
        service.stop()


if __name__ == "__main__":
    main()
