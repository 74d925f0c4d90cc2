"""Diagnoses of a run by its figures: each with its evidence and its remedy.

No rule is a bare threshold: a difference counts once its whole 95 % interval lies beyond the bound. What an
interval leaves open is said to be open, with the number of posts that would close it. docs/diagnoses.md has every
code.
"""

from collections.abc import Iterator

from cotpd.evaluation.diagnoses.curve_rules import detect_curve_faults
from cotpd.evaluation.diagnoses.data_rules import detect_data_faults
from cotpd.evaluation.diagnoses.diagnosis import DIAGNOSES_FILE, Diagnosis
from cotpd.evaluation.diagnoses.gain_rules import Gain, detect_gain_faults, detect_open_questions
from cotpd.evaluation.diagnoses.run_evidence import RunEvidence, SetAside
from cotpd.evaluation.diagnoses.run_rules import detect_run_faults

__all__ = [
    "DIAGNOSES_FILE",
    "Diagnosis",
    "Gain",
    "RunEvidence",
    "SetAside",
    "detect_gain_faults",
    "detect_open_questions",
    "diagnose_run",
]


def diagnose_run(run: RunEvidence) -> Iterator[Diagnosis]:
    """Yield what is wrong with a run by its last split, which is the one least tuned on: gains, then causes."""
    yield from detect_run_faults(run)
    yield from detect_curve_faults(run)
    yield from detect_data_faults(run)
