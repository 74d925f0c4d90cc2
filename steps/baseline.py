"""baseline: fine-tune the encoder on text alone, the row that every result stands beside."""

from cotpd.config import Params
from cotpd.pipeline.training_examples import read_text_examples
from cotpd.pipeline.workspace import Workspace
from cotpd.student.objectives import FineTuning
from steps.common import main
from steps.training import train_model


def run(params: Params) -> None:
    """Write models/baseline: weights, configuration and the history of the run."""
    workspace = Workspace()
    train, valid = (read_text_examples(workspace, params.task, split) for split in ("train", "valid"))

    objective = FineTuning("text")
    train_model(workspace, train, valid, params, params.baseline, objective=objective, out=workspace.baseline)


if __name__ == "__main__":
    main(run)
