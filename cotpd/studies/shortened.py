"""A study that takes minutes and shows that everything runs: `cotpd study run --quick`."""

from pathlib import Path
from typing import Any

from cotpd.config import Params
from cotpd.data.tables import read_json
from cotpd.errors import DataError
from cotpd.studies.study import NamedStudy, Study, apply_params
from cotpd.weights.catalogue import find_model

QUICK = "-quick"  # ends the name of the folder of a shortened study
QUICK_LAYERS = 3  # each catalogued encoder has more
QUICK_PARAMS = {
    "student.knowledge_length": 64,
    "baseline.epochs": 2,
    "teach.epochs": 1,
    "train.epochs": 2,
}
"""What a shortened study changes in every cell that does not set it itself."""


def shorten_study(named: NamedStudy, base: Params) -> NamedStudy:
    """Return a study of one seed, fewer epochs, and fewer layers where all of its encoders have more.

    Its results are written beside those of the whole study, and say what was shortened.

    Raises:
        ConfigError: The shorter parameters do not fit to those of a cell.
    """
    quick: dict[str, Any] = dict(QUICK_PARAMS)
    names = [cell.name for cell in named.study.cells if "student.layers" not in cell.params]
    if all(can_be_shortened(named.params[name]) for name in names):
        quick["student.layers"] = QUICK_LAYERS
    values = named.study.model_dump(exclude_unset=True)
    values |= {"seeds": named.study.seeds[:1], "params": named.study.params | quick}
    study = Study.model_validate(values)
    cells = {cell.name: apply_params(base, study, cell) for cell in study.cells}
    return NamedStudy(f"{named.name}{QUICK}", study, cells)


def can_be_shortened(params: Params) -> bool:
    """Whether an encoder surely has more layers than a shortened study keeps, and the project chose no fewer.

    Nothing is downloaded to find out: an encoder that is neither catalogued nor a folder stays whole.
    """
    if params.student.layers is not None and params.student.layers < QUICK_LAYERS:
        return False
    folder = Path(params.student.encoder)
    if not folder.is_dir():
        return find_model(params.student.encoder) is not None
    try:
        layers = read_json(folder / "config.json").get("num_hidden_layers")
    except DataError:  # the training names what is wrong with the folder
        return False
    return isinstance(layers, int) and layers > QUICK_LAYERS
