"""A finding about a run or a study, as diagnoses.json and a study's result hold it."""

from cotpd.data.records import Record

DIAGNOSES_FILE = "diagnoses.json"  # in the folder of an evaluation
PAGE = "docs/diagnoses.md"


class Diagnosis(Record):
    """One fault of a run: its title, the figures that show it, and the remedy."""

    code: str
    """One of the codes of docs/diagnoses.md."""
    split: str
    title: str
    evidence: str
    remedy: str


def build_diagnosis(code: str, split: str, title: str, evidence: str, remedy: str) -> Diagnosis:
    """Return a diagnosis whose remedy ends with the place in the documentation."""
    return Diagnosis(code=code, split=split, title=title, evidence=evidence, remedy=f"{remedy} See {PAGE}#{code}.")


def format_points(value: float) -> str:
    """Return a difference of F1 in points, with its sign; one that rounds to nothing is +0.00."""
    return f"{100 * value:+z.2f}"
