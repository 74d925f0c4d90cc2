"""Whether a version's model card says all that it must."""

import re
from pathlib import Path

from cotpd.promotion.rules import CardRule
from cotpd.promotion.verdict import RuleResult, fail

CARD = "MODEL_CARD.md"
REQUIRED_SECTIONS = (
    "data",
    "scores",
    "limits",
    "intended use",
    "cost",
    "licence",
    "prompts",
    "how to reproduce",
)
"""What a card must say something about. A heading counts that holds these words, whatever its level and case."""

_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)


def judge_card(folder: Path, rule: CardRule) -> RuleResult:
    """Judge the model card of a version.

    Args:
        folder: Of all files of the version; the card lies in it, or below its artifacts.
        rule: How much a section must say.
    """
    candidates = [folder / CARD, folder / "artifacts" / CARD, *folder.glob(f"artifacts/*/{CARD}")]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        return fail("card", f"the version has no {CARD}: register the student again (dvc repro -f -s register)")
    missing = list_missing_sections(path.read_text("utf-8", "replace"), rule.min_words)
    if missing:
        return fail("card", f"{CARD} says nothing, or less than {rule.min_words} words, on: {', '.join(missing)}")
    explanation = f"{CARD} has its {len(REQUIRED_SECTIONS)} sections"
    return RuleResult(rule="card", status="passed", support=len(REQUIRED_SECTIONS), explanation=explanation)


def list_missing_sections(card: str, min_words: int = 3) -> list[str]:
    """Return the required sections that a card lacks, or that hold fewer words, subsections included."""
    headings = list(_HEADING.finditer(card))
    words: dict[str, int] = {}
    for number, heading in enumerate(headings):
        end = _find_end(headings, number, len(card))
        text = _HEADING.sub("", card[heading.end() : end])
        words[heading[1].casefold()] = len(re.findall(r"\w+", text))
    return [section for section in REQUIRED_SECTIONS if not _is_written(section, words, min_words)]


def _find_end(headings: list[re.Match[str]], number: int, length: int) -> int:
    """Return where a section ends: at the next heading that is not below its own."""
    level = _measure_level(headings[number])
    later = (heading.start() for heading in headings[number + 1 :] if _measure_level(heading) <= level)
    return next(later, length)


def _measure_level(heading: re.Match[str]) -> int:
    return len(heading[0]) - len(heading[0].lstrip("#"))


def _is_written(section: str, words: dict[str, int], min_words: int) -> bool:
    return any(section in heading and count >= min_words for heading, count in words.items())
