"""The result of a study: a row a cell, a verdict on each difference, and the answer in a sentence."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from pydantic import Field, ValidationError

from cotpd.data.records import Record
from cotpd.errors import DataError
from cotpd.evaluation.diagnoses import Diagnosis
from cotpd.evaluation.diagnoses.diagnosis import format_points
from cotpd.evaluation.diagnoses.gain_rules import FEW_POSTS
from cotpd.evaluation.results_table import format_p
from cotpd.evaluation.significance import apply_holm
from cotpd.files import write_atomically
from cotpd.student.tasks import find_task
from cotpd.studies.answer_agreement import Agreement
from cotpd.studies.differences import Table, Tested, compare_cells, compute_cell_f1
from cotpd.studies.study import Study

SIGNIFICANT = 0.05


class CellResult(Record):
    """One row of the table, F1 in [0, 1]."""

    name: str
    model: str
    """baseline, teacher, student, control, llm or llm_zero_shot."""
    sees: str
    """What the model is given at test time."""
    labelled: int = 0
    """Training posts with labels that it learns from, augmented ones left out."""
    unlabelled: int = 0
    """Posts without labels that it learns from."""
    answers: int = 0
    """Answers about these posts that it, or its teachers, read."""
    posts: int = 0
    """Posts that it is tested on."""
    f1: dict[int, float] = Field(default_factory=dict)
    """By seed."""
    problem: str = ""
    """Why the cell was left out, or why the first of its seeds that failed did."""
    params: dict[str, object] = Field(default_factory=dict)
    """What the cell changes about the parameters and the data, beyond what all cells do."""
    seconds: float | None = None
    """Time of all jobs behind it, shared ones included; None if one has not finished."""

    @property
    def mean(self) -> float | None:
        """The mean over the seeds; None without one."""
        return mean(self.f1.values()) if self.f1 else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation over the seeds (n - 1); None with fewer than two."""
        return stdev(self.f1.values()) if len(self.f1) > 1 else None


class Verdict(Record):
    """One difference, F1 in [0, 1]; without figures if a cell of it has none."""

    first: str
    second: str
    claim: str
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_randomised: float | None = None
    p_holm: float | None = None
    """The bootstrap's p-value, corrected for all comparisons of the study (Holm)."""
    seeds: int = 0
    dollars: float | None = None
    """What a point of F1 costs in answers that the second cell does without; None if it gains none, or no price is
    known."""
    problem: str = ""


class Exchange(Record):
    """The worth of one cell's further unlabelled posts, in labels."""

    cell: str
    labelled: int
    """Labelled posts that the cell and its comparison both have."""
    posts: int
    """Unlabelled posts that the cell has beyond its comparison."""
    labels: float | None = None
    """Further labels with which the same F1 is reached without these posts; 0 if they gain nothing, None if no
    number of labels that was measured reaches it."""
    dollars: float | None = None
    """What their answers cost; None if no price is known."""


class StudyResult(Record):
    """The result of a study: its cells, differences and answer."""

    study: str
    question: str
    task: str
    split: str
    seeds: tuple[int, ...]
    params: dict[str, object] = Field(default_factory=dict)
    """What the study changes about the parameters of the project, in all cells."""
    encoder: str = ""
    answer_price: float | None = None
    """Dollars that an answer costs; None if no price is known."""
    seconds: float | None = None
    """Time of all jobs of the study, each once; None if one has not finished."""
    cells: tuple[CellResult, ...]
    verdicts: tuple[Verdict, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    """What unlabelled posts are worth in labels, where the study has measured a curve over labels."""
    diagnoses: tuple[Diagnosis, ...] = ()
    """What the differences say is wrong."""
    agreements: tuple[Agreement, ...] = ()
    """How far the answers of compared cells agree, where they come from different sources."""

    @property
    def score_name(self) -> str:
        """The name of the score: F1, or accuracy where each example has one label."""
        return find_task(self.task).score_name

    @property
    def answer(self) -> str:
        """The answer in a sentence with its interval: that of the first difference."""
        verdict = self._find_answer()
        return "No two cells can be compared." if verdict is None else describe_verdict(verdict, self)

    def list_further_sentences(self) -> list[str]:
        """Return a sentence for each difference but the one that is the answer."""
        answer = self._find_answer()
        return [describe_verdict(verdict, self) for verdict in self.verdicts if verdict is not answer]

    def has_few_posts(self, verdict: Verdict) -> bool:
        """Whether a difference is of so few posts that its interval says little."""
        return any(cell.name == verdict.first and cell.posts < FEW_POSTS for cell in self.cells)

    def is_certain(self, verdict: Verdict) -> bool:
        """Whether a difference is more than chance, after the correction and on enough posts."""
        return verdict.p_holm is not None and verdict.p_holm < SIGNIFICANT and not self.has_few_posts(verdict)

    def _find_answer(self) -> Verdict | None:
        return next((verdict for verdict in self.verdicts if verdict.gain is not None), None)


def judge(
    study: Study,
    cells: Sequence[CellResult],
    tables: Mapping[str, Table],
    *,
    seed: int,
    answer_price: float | None = None,
) -> list[Verdict]:
    """Return a verdict on each comparison of a study, corrected for all that could be tested.

    Args:
        study: The study.
        cells: Its rows, which say why one has no predictions.
        tables: Predictions by cell and seed; a cell without any is left out.
        seed: The seed of the draws.
        answer_price: Dollars that an answer costs, if it is known.
    """
    verdicts, tests = [], []
    for comparison in study.comparisons:
        pair = (comparison.first, comparison.second)
        verdict = Verdict(first=comparison.first, second=comparison.second, claim=comparison.claim)
        if problem := _find_obstacle(pair, cells, tables):
            verdicts.append(verdict.model_copy(update={"problem": problem}))
            continue
        tests.append(compare_cells(tables[pair[0]], tables[pair[1]], seed=seed))
        dollars = _compute_dollars(pair, cells, tests[-1].gain, answer_price)
        verdicts.append(verdict.model_copy(update=_as_figures(tests[-1]) | {"dollars": dollars}))
    corrected = iter(apply_holm([test.p_value for test in tests]))
    return [
        verdict if verdict.gain is None else verdict.model_copy(update={"p_holm": next(corrected)})
        for verdict in verdicts
    ]


def _find_obstacle(pair: tuple[str, str], cells: Sequence[CellResult], tables: Mapping[str, Table]) -> str:
    """Return why two cells cannot be compared; "" if they can."""
    names = {cell.name for cell in cells}
    for name in pair:
        if not tables.get(name):
            return f"{name} has no figures" if name in names else f"{name} was not asked for"
    if not tables[pair[0]].keys() & tables[pair[1]].keys():
        return "no seed of both cells could be trained"
    if tables[pair[0]] is tables[pair[1]]:
        return "both cells are the same trainings, since the data set lacks what they differ in"
    return ""


def _compute_dollars(
    pair: tuple[str, str], cells: Sequence[CellResult], gain: float, answer_price: float | None
) -> float | None:
    """Return the dollars that a point of a gain costs in answers; None without price, gain or further answers."""
    answers = {cell.name: cell.answers for cell in cells}
    further = answers[pair[0]] - answers[pair[1]]
    if answer_price is None or gain <= 0 or further <= 0:
        return None
    return round(further * answer_price / (100 * gain), 6)


def _as_figures(test: Tested) -> dict[str, float | None]:
    names = ("gain", "low", "high", "p_value", "p_randomised", "seeds")
    return {name: getattr(test, name) for name in names}


def score_cell(table: Table) -> dict[int, float]:
    """Return F1 by seed."""
    return {seed: round(compute_cell_f1(predictions), 6) for seed, predictions in table.items()}


def describe_verdict(verdict: Verdict, result: StudyResult) -> str:
    """Return a difference as a sentence with its interval."""
    if verdict.gain is None or verdict.low is None or verdict.high is None or verdict.p_holm is None:
        return f"{verdict.claim}: not tested. {verdict.problem}."
    draws = "posts and seeds" if verdict.seeds > 1 else "posts alone, with one seed"
    is_certain = result.is_certain(verdict)
    meaning = "" if is_certain else " After this correction it cannot be told from chance."
    if result.has_few_posts(verdict):
        meaning = f" Fewer than {FEW_POSTS} test posts say little, however narrow the interval."
    if verdict.dollars is not None and is_certain:
        meaning = f" The answers cost ${verdict.dollars:,.4g} a point."
    return (
        f"{verdict.claim}: {format_points(verdict.gain)} points of {result.score_name} on {result.split} "
        f'("{verdict.first}" over "{verdict.second}"; '
        f"95 % interval {format_points(verdict.low)} to "
        f"{format_points(verdict.high)} over {draws}; p {format_p(verdict.p_holm)} after Holm).{meaning}"
    )


def write_result(result: StudyResult, path: Path) -> None:
    """Write a study's result as JSON."""
    with write_atomically(path) as partial:
        partial.write_text(result.model_dump_json(indent=2) + "\n", "utf-8")


def read_result(path: Path, command: str = "cotpd study run") -> StudyResult:
    """Read what a study has found; ``command`` runs it.

    Raises:
        DataError: It was not run, or the file was edited to something else, or cannot be read.
    """
    try:
        return StudyResult.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: the study was not run here", f"Run it: {command}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}", "Check the path.") from None
    except (ValidationError, UnicodeDecodeError):
        remedy = f"Run the study again, which costs no training: {command}"
        raise DataError(f"{path}: not what a study writes", remedy) from None
