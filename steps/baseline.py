"""baseline: fine-tune the encoder on text alone, the row that every result stands beside."""

from cotpd.config import Params
from cotpd.student.objectives import FineTuning
from steps.common import BASELINE, main
from steps.training import fit, text_examples


def run(params: Params) -> None:
    """Write models/baseline: weights, configuration and the history of the run."""
    train, valid = (text_examples(split, params) for split in ("train", "valid"))
    fit(train, valid, params, params.baseline, objective=FineTuning("text"), out=BASELINE)


if __name__ == "__main__":
    main(run)
