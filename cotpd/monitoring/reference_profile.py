"""The reference of a comparison: the training posts' vocabulary, and what the student predicts on the valid split.

Trade-off: predictions on the training posts would be surer than those at work, so scores and types come from the
valid split, some hundred posts. No text is kept, though a guessed word can be checked against its hash.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pydantic

from cotpd.data.records import Record, TaskName
from cotpd.errors import DataError
from cotpd.files import write_atomically
from cotpd.monitoring.observations import Observation, build_vocabulary, describe_post, draw_sample
from cotpd.student.prediction_input import PredictionInput, predict_inputs
from cotpd.student.tasks import KnownTask, find_task

if TYPE_CHECKING:
    from cotpd.data.records import Post
    from cotpd.scoring.scoring_model import ScoringModel

_REMEDY = "Write it again: cotpd monitor WINDOW --save-reference FILE in the project's folder."


class ReferenceProfile(Record):
    """The vocabulary of the training posts, and observations of the valid posts, at the student's making.

    Attributes:
        task: The task of the student.
        model: The model that predicted: name, version, backend and digest.
        vocabulary: Hashes of the training posts' words.
        observations: One of each post of the valid split, or of a sample.
    """

    task: KnownTask
    model: dict[str, Any]
    vocabulary: tuple[int, ...]
    observations: tuple[Observation, ...]

    @classmethod
    def build(cls, model: "ScoringModel", train: Sequence["Post"], valid: Sequence["Post"]) -> Self:
        """Predict the valid posts and observe them.

        Raises:
            DataError: There are no training posts, or no valid ones.
        """
        if not train or not valid:
            missing = "training" if not train else "valid"
            raise DataError(
                f"there are no {missing} posts to compare with", "Run in the project's folder: dvc repro."
            )
        vocabulary = build_vocabulary(post.text for post in train)
        inputs = list(_list_inputs(model.task, valid, in_words=model.predictor.words.is_given))
        predictions = predict_inputs(model.predictor, inputs)
        pairs = zip(inputs, predictions, strict=True)
        observations, _ = draw_sample(describe_post(row.text, prediction, vocabulary) for row, prediction in pairs)
        return cls(
            task=model.task,
            model=model.describe(),
            vocabulary=tuple(sorted(vocabulary)),
            observations=tuple(observations),
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a profile.

        Raises:
            DataError: There is none, or it was edited.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}", _REMEDY) from None
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise DataError(f"{path}: no profile: {where}: {first['msg']}", _REMEDY) from None

    def write(self, path: Path) -> None:
        """Write the profile, whole or not at all."""
        with write_atomically(path) as partial:
            partial.write_text(json.dumps(self.model_dump(), separators=(",", ":")), "utf-8")


def _list_inputs(task: TaskName, posts: Iterable["Post"], *, in_words: bool) -> Iterator[PredictionInput]:
    """Yield the inputs of posts: one a post, or one an annotated pair."""
    for post in posts:
        offsets = post.offsets if in_words else None
        if not find_task(task).reads_pair:
            yield PredictionInput(post.text, offsets=offsets)
            continue
        spans = [(entity.start, entity.end) for entity in post.entities]
        if not in_words:
            spans = [(post.offsets[start][0], post.offsets[end - 1][1]) for start, end in spans]
        for relation in post.relations:
            yield PredictionInput(post.text, spans[relation.head], spans[relation.tail], offsets)
