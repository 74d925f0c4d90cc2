"""train: distil the knowledge view into the prompt view; the student then needs text alone."""

from cotpd.config import Params
from cotpd.student.training import train
from steps.common import STUDENT, main, say
from steps.training import inventory, knowledge_examples


def run(params: Params) -> None:
    """Write models/student: weights, configuration and the history of the run."""
    examples = knowledge_examples("train", params)
    say(f"train: {len(examples)} training examples, augmented ones included")
    train(
        examples,
        knowledge_examples("valid", params),
        task=params.task,
        types=inventory(params),
        student=params.student,
        params=params.train,
        distil=params.distil,
        seed=params.seed,
        out=STUDENT,
    )


if __name__ == "__main__":
    main(run)
