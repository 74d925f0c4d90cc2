"""The catalogue's encoders as they are, not tiny ones of their families: through embeddings, and trained."""

from pathlib import Path

import pytest
import torch

from cotpd.data.load import Dataset, load_dataset
from cotpd.data.params import DataParams
from cotpd.data.records import Post
from cotpd.student import Student
from cotpd.student.batches import collate
from cotpd.student.examples import build_examples
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import JointDistillation
from cotpd.student.params import DistilParams, StudentParams, TrainParams
from cotpd.student.persistence import build_model
from cotpd.student.training import train
from cotpd.student.views import ExampleEncoder

CATALOGUED = ["all-MiniLM-L6-v2", "all-mpnet-base-v2"]


@pytest.fixture
def dataset(root: Path) -> Dataset:
    return load_dataset(DataParams(path=str(root / "sample")))


@pytest.fixture
def posts(dataset: Dataset) -> list[Post]:
    return list(dataset.posts["train"][:8])


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUED)
def test_a_catalogued_encoder_reads_embeddings_like_ids(name: str, dataset: Dataset, posts: list[Post]) -> None:
    params = StudentParams(encoder=name, prompt_length=4, knowledge_length=64)
    labels = LabelSet.build("ner", dataset.types)
    model, tokenizer, reads = build_model(params, labels)
    encoder = ExampleEncoder(tokenizer, params, labels, model.vocabulary, reads)
    batch = collate(encoder.encode(build_examples(posts, "ner", {}, {})), "text", encoder)

    with torch.no_grad():
        states = model.eval().compute_states(batch, "text")

    with torch.no_grad():
        by_ids = model.encoder(input_ids=batch.ids, attention_mask=batch.attention.long()).last_hidden_state
    expected = by_ids[batch.window_of_state, batch.position_of_state]
    torch.testing.assert_close(states, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUED)
def test_a_catalogued_encoder_learns(name: str, dataset: Dataset, posts: list[Post], tmp_path: Path) -> None:
    params = TrainParams(epochs=3, batch_size=4, device="cpu", checkpointing=True, freeze_embeddings=True)

    history = train(
        build_examples(posts, "ner", {}, {}),
        [],
        task="ner",
        types=dataset.types,
        student=StudentParams(encoder=name, prompt_length=4, knowledge_length=64),
        params=params,
        objective=JointDistillation(DistilParams()),
        seed=1,
        out=tmp_path / "student",
    )

    assert history[-1]["loss"] < history[0]["loss"]
    student = Student.from_pretrained(tmp_path / "student", "cpu")
    assert len(list(student.predict([post.text for post in posts]))) == len(posts)
