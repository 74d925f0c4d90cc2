"""Students whose own view has prompts: their exact graph predicts what torch predicts, in batches of any size."""

import pytest

from cotpd.export.posts import gather_labelled
from cotpd.export.writer import write_export
from cotpd.student.examples import build_examples
from tests.builders import build_post, build_student


@pytest.mark.parametrize("generator_layers", [1, 2])
@pytest.mark.parametrize("task", ["ner", "re"])
def test_the_graph_of_a_student_with_prompts_predicts_the_same(encoder, tmp_path, task, generator_layers):
    build_student(encoder, task, generator_layers=generator_layers).save(tmp_path / "student")
    relations = [(0, 1, "member")]
    posts = [
        build_post("[Ada](PER) joins [Acme](ORG)" + " now" * count, relations=relations) for count in range(9)
    ]
    examples = build_examples(posts, task, {}, {})

    export = write_export(tmp_path / "student", gather_labelled({"test": examples, "train": examples}), int8=False)

    verdict = export.record.verdicts["onnx"]
    assert (verdict.passed, verdict.same) == (True, 1.0)
