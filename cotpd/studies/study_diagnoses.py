"""Diagnoses of a study by its differences: the rules of a run, and a gain that does not cross domains."""

from collections.abc import Iterator
from typing import NamedTuple

from cotpd.evaluation.diagnoses import Diagnosis, Gain, detect_gain_faults, detect_open_questions
from cotpd.evaluation.diagnoses.diagnosis import build_diagnosis
from cotpd.studies.study import Cell, Study
from cotpd.studies.verdict import StudyResult, Verdict, describe_verdict

_ROWS = {"teacher": "knowledge"}  # the row of a run that a model of a cell stands for

_SEEDS_REMEDY = "run the study with three (--seed 13 --seed 14 --seed 15)"


class _Compared(NamedTuple):
    """A difference with the cells and the data sets that it is of."""

    verdict: Verdict
    gain: Gain | None
    """The difference under the names of the rows of a run that its cells stand for; None without such rows."""
    first: Cell
    second: Cell
    trained_on: str
    tested_on: str

    @property
    def is_within(self) -> bool:
        """Whether both cells are tested on posts like those that they learnt from."""
        return self.trained_on == self.tested_on

    @property
    def measures_distillation(self) -> bool:
        """Whether it is the student's gain over the text-only baseline."""
        return self.gain is not None and self.gain[:2] == ("student", "baseline")

    @property
    def is_gain(self) -> bool:
        """Whether the first row is shown to be better."""
        return self.gain is not None and self.gain.is_shown

    @property
    def is_loss(self) -> bool:
        """Whether the first row is shown to be worse."""
        return self.gain is not None and self.gain.is_loss


def diagnose_study(study: Study, result: StudyResult, prompt_length: int) -> Iterator[Diagnosis]:
    """Yield what is wrong by the differences of a study that were tested.

    Args:
        study: The study.
        result: What it has found.
        prompt_length: The project's student.prompt_length, which the study or a cell may change.
    """
    compared = list(_list_compared(study, result))
    gains = []
    for pair in compared:
        if pair.is_within and pair.gain is not None:
            gains.append(pair.gain)
            length = (study.params | pair.first.params).get("student.prompt_length", prompt_length)
            yield from detect_gain_faults(gains[-1:], has_generator=length > 0)
    yield from detect_open_questions(gains, seeds_remedy="" if len(result.seeds) > 1 else _SEEDS_REMEDY)
    yield from _detect_cross_domain_loss(compared, result)


def _list_compared(study: Study, result: StudyResult) -> Iterator[_Compared]:
    """Yield the differences that were tested, of cells that learnt from and are tested on the same data sets."""
    cells = {cell.name: cell for cell in study.cells}
    for verdict in result.verdicts:
        if verdict.gain is None or not {verdict.first, verdict.second} <= cells.keys():
            continue
        first, second = cells[verdict.first], cells[verdict.second]
        routes = [_locate_data(study, cell) for cell in (first, second)]
        if routes[0] == routes[1]:
            yield _Compared(verdict, _measure_gain(study, verdict, result), first, second, *routes[0])


def _locate_data(study: Study, cell: Cell) -> tuple[str, str]:
    """Return the data sets that a cell learns from and is tested on."""
    trained_on = study.get_data_set(cell.train_on)
    return trained_on, study.get_data_set(cell.test_on) if cell.test_on else trained_on


def _measure_gain(study: Study, verdict: Verdict, result: StudyResult) -> Gain | None:
    """Return a difference under the names of the rows of a run that its cells stand for.

    None if one of them stands for no row, both for the same, or they differ in more than rows do: a small
    student that is worse than a large baseline was not distilled badly.
    """
    cells = [study.get_cell(name) for name in (verdict.first, verdict.second)]
    first, second = (_find_row(study, cell) for cell in cells)
    if not first or not second or first == second or len({_describe_size(study, cell) for cell in cells}) > 1:
        return None
    posts = {cell.name: cell.posts for cell in result.cells}[verdict.first]
    value, low, high = (float(figure or 0) for figure in (verdict.gain, verdict.low, verdict.high))
    name = f'"{verdict.first}" over "{verdict.second}"'
    return Gain(first, second, result.split, value, low, high, posts, result.score_name, name)


def _find_row(study: Study, cell: Cell) -> str:
    """Return the row of a run that a cell stands for; "" if it is given, or learns from, something else."""
    changes = study.list_changes(cell)
    lacks_answers = cell.reads_answers and (not changes.kinds or changes.knowledge != "intact")
    own_input = "knowledge" if cell.model == "teacher" else "text"
    if lacks_answers or cell.reads not in ("own", own_input):
        return ""
    return _ROWS.get(cell.model, cell.model)


def _describe_size(study: Study, cell: Cell) -> tuple[object, ...]:
    """Return the encoder of a cell, its layers, and the share of the labels that it learns from."""
    params = study.params | cell.params
    return params.get("student.encoder"), params.get("student.layers"), study.list_changes(cell).labels


def _detect_cross_domain_loss(compared: list[_Compared], result: StudyResult) -> Iterator[Diagnosis]:
    """Yield that the student gains on posts like those that it learnt from, and loses on others."""
    distillation = [pair for pair in compared if pair.measures_distillation]
    gained = {pair.trained_on: pair for pair in distillation if pair.is_within and pair.is_gain}
    for pair in distillation:
        if pair.is_within or not pair.is_loss or pair.trained_on not in gained:
            continue
        figures = [gained[pair.trained_on].verdict, pair.verdict, *_list_augmentation(pair, compared)]
        yield build_diagnosis(
            "cross_domain_loss",
            result.split,
            "A gain within the domain, a loss across it",
            " ".join(describe_verdict(verdict, result) for verdict in figures),
            "The augmented posts, or the answers, fit one domain too well: distil without augmentation "
            "(augment.kinds: []), or teach on unlabelled posts of the other domain (data.unlabelled).",
        )


def _list_augmentation(pair: _Compared, compared: list[_Compared]) -> list[Verdict]:
    """Return what augmentation is worth between the same two data sets, where the study measures it."""
    return [
        candidate.verdict
        for candidate in compared
        if (candidate.trained_on, candidate.tested_on) == (pair.trained_on, pair.tested_on)
        and candidate.first.data.augmented != candidate.second.data.augmented
    ]
