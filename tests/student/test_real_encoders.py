"""The catalogue's encoders as they are, not tiny ones of their families: through embeddings, and trained."""

from pathlib import Path

import pytest
import torch

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.student import Student
from cotpd.student.batches import collate
from cotpd.student.examples import build_examples
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import JointDistillation
from cotpd.student.params import DistilParams, StudentParams, TrainParams
from cotpd.student.persistence import build_model
from cotpd.student.training import train
from cotpd.student.views import ExampleEncoder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "all-mpnet-base-v2"])
def test_a_catalogued_encoder_reads_embeddings_like_ids_and_learns(name: str, root: Path, tmp_path: Path) -> None:
    dataset = load_dataset(DataParams(path=str(root / "sample")))
    posts = dataset.posts["train"][:8]
    examples = build_examples(posts, "ner", {}, {})
    params = StudentParams(encoder=name, prompt_length=4, knowledge_length=64)
    labels = LabelSet.build("ner", dataset.types)
    model, tokenizer, reads = build_model(params, labels)
    tokens = ExampleEncoder(tokenizer, params, labels, model.vocabulary, reads)
    read = collate(tokens.encode(examples), "text", tokens)
    with torch.no_grad():
        states = model.eval().encoder(input_ids=read.ids, attention_mask=read.attention.long()).last_hidden_state
        torch.testing.assert_close(
            model.compute_states(read, "text"),
            states[read.window_of_state, read.position_of_state],
            atol=1e-5,
            rtol=1e-4,
        )
    history = train(
        examples,
        [],
        task="ner",
        types=dataset.types,
        student=params,
        params=TrainParams(epochs=3, batch_size=4, device="cpu", checkpointing=True, freeze_embeddings=True),
        objective=JointDistillation(DistilParams()),
        seed=1,
        out=tmp_path / "student",
    )
    assert history[-1]["loss"] < history[0]["loss"]
    student = Student.from_pretrained(tmp_path / "student", "cpu")
    assert len(list(student.predict([post.text for post in posts]))) == len(posts)
