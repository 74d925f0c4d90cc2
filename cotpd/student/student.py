"""A trained model: load it from a folder, label text with it.

Trade-off: only JSON, safetensors and tokenizer files are loaded, so that nothing in the folder can run code and no
network is needed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch

from cotpd.data.records import WordSplitting
from cotpd.devices import pick_device
from cotpd.errors import ModelError
from cotpd.registry.model_address import find_student_folder
from cotpd.student.batches import collate
from cotpd.student.card import Card
from cotpd.student.examples import Example
from cotpd.student.fast_tokenizer import FastTokenizer
from cotpd.student.folders import recover_interrupted_swap
from cotpd.student.labeller import Labeller
from cotpd.student.model import StudentModel
from cotpd.student.params import StudentParams
from cotpd.student.persistence import load_model, save_model
from cotpd.student.predictor import Backend
from cotpd.student.tasks import Predicted
from cotpd.student.views import Encoded, ExampleEncoder, View

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Student(Labeller):
    """A model with its tokenizer and inventory.

    Attributes:
        views: The views that the model was trained to read, its own first.
        labels: The inventory.
        example_encoder: Turns examples into sub-words.
        temperature: Scores are divided by it before they become probabilities (see
            :mod:`cotpd.student.calibration`).
        reads: The most positions that the encoder reads.
        words: How text becomes words.
    """

    backend: Backend = "torch"

    def __init__(
        self,
        model: StudentModel,
        tokenizer: "PreTrainedTokenizerBase | FastTokenizer",
        params: StudentParams,
        views: tuple[View, ...],
        reads: int,
        device: str = "auto",
        temperature: float = 1.0,
        words: WordSplitting | None = None,
    ) -> None:
        self.device = pick_device(device)
        self.model = model.to(self.device).eval()
        self.tokenizer, self.params, self.labels, self.views = tokenizer, params, model.labels, views
        self.example_encoder = ExampleEncoder(tokenizer, params, model.labels, model.vocabulary, reads)
        self.reads, self.temperature, self.words = reads, temperature, words or WordSplitting()

    @classmethod
    def from_pretrained(cls, source: Path | str, device: str = "auto", *, only_predicts: bool = False) -> Self:
        """Load a model from a folder, or from MLflow: models:/NAME@ALIAS, models:/NAME/VERSION, runs:/RUN/PATH.

        Args:
            source: The folder or the address.
            device: What computes; auto takes a GPU if there is one.
            only_predicts: Whether to load without transformers where the encoder's family allows; such a student
                can be neither saved nor exported.

        Raises:
            ModelError: There is no model, or it is damaged or incomplete; the store or the version does not exist.
            ConfigError: The device does not exist.
        """
        recover_interrupted_swap(Path(source))
        model, tokenizer, card, reads = load_model(find_student_folder(source), only_predicts=only_predicts)
        return cls(model, tokenizer, card.student, card.views, reads, device, card.temperature, card.words)

    def save(self, folder: Path | str, extra: dict[str, str] | None = None) -> None:
        """Write the model, and further text files by name, into a folder, whole or not at all.

        Raises:
            ModelError: The student was loaded to predict only.
            StorageError: The disk is full.
        """
        if isinstance(self.tokenizer, FastTokenizer):
            raise ModelError("the student was loaded to predict only", "Load it with Student.from_pretrained.")
        card = Card(
            labels=self.labels,
            views=self.views,
            student=self.params,
            temperature=self.temperature,
            words=self.words,
        )
        save_model(Path(folder), self.model, self.tokenizer, card, extra)

    def compute_log_probabilities(
        self, examples: Sequence[Example], view: View | None = None, batch_size: int = 32
    ) -> list[float]:
        """Return the calibrated log-probability of each example's own labels, in nats, in the examples' order.

        Raises:
            DataError: An example holds a label outside the inventory.
        """
        view = view or self.views[0]
        encoded = self.example_encoder.encode(examples)
        values = [0.0] * len(examples)
        for indices in self._order(encoded, batch_size):
            batch = collate([encoded[index] for index in indices], view, self.example_encoder).to(self.device)
            with torch.inference_mode():
                scores = self.model(batch, view)
                row = self.model.head.compute_log_probabilities(
                    scores, batch.targets, batch.mask, self.temperature
                )
            for index, value in zip(indices, row.tolist(), strict=True):
                values[index] = value
        return values

    def _label(self, examples: Sequence[Encoded], view: View) -> list[list[Predicted]]:
        """Return the predictions for a batch, in single precision also during mixed training.

        Half precision would move scores by 0.01.
        """
        batch = collate(examples, view, self.example_encoder).to(self.device)
        with torch.inference_mode():
            scores = self.model(batch, view)
        return self.model.head.decode(scores, batch.mask, self.temperature)
