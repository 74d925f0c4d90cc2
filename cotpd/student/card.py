"""student.json, the card of a model's folder: what the model is, beside its weights and its tokenizer.

It is read without torch, which an exported student does not need.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from cotpd.data.records import Record, WordSplitting
from cotpd.errors import ModelError
from cotpd.student.folder_digests import CARD, REMEDY
from cotpd.student.labels import LabelSet
from cotpd.student.params import StudentParams
from cotpd.student.views import View


class Card(Record):
    """student.json: everything, beside weights and tokenizer, that building the model again needs."""

    format: Literal[1] = 1
    labels: LabelSet
    views: tuple[View, ...] = Field(min_length=1)
    student: StudentParams
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Scores are divided by it before they become probabilities."""
    words: WordSplitting = WordSplitting()
    """How text becomes words; the cards of earlier releases lack it and mean ``social``."""


def read_card(folder: Path) -> Card:
    """Return the card of a model's folder.

    Raises:
        ModelError: There is none, or it is damaged; the message names the file.
    """
    try:
        return Card.model_validate_json((folder / CARD).read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{folder}: no model here ({CARD} is missing)",
            "Name a folder that training wrote, such as models/student.",
        ) from None
    except (ValidationError, UnicodeDecodeError, OSError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ModelError(f"{folder / CARD}: damaged, or of another version: {reason}", REMEDY) from None
