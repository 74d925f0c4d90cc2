"""baseline: fine-tune the encoder on text alone, the row that every result stands beside."""

from cotpd.config import Params
from cotpd.student.training import train
from steps.common import BASELINE, main, say
from steps.training import inventory, text_examples


def run(params: Params) -> None:
    """Write models/baseline: weights, configuration and the history of the run."""
    examples = text_examples("train", params)
    say(f"baseline: {len(examples)} training examples, text alone")
    train(
        examples,
        text_examples("valid", params),
        task=params.task,
        types=inventory(params),
        student=params.student,
        params=params.baseline,
        distil=None,
        seed=params.seed,
        out=BASELINE,
    )


if __name__ == "__main__":
    main(run)
