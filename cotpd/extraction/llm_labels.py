"""Ask the language model for the labels of the posts to score, and read its answers.

An answer that fails its checks counts as no mention (or no label), since a model that gives none has not labelled
the post: leaving the post out would flatter it. Each is set aside with its reason and counted beside the score.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from cotpd.counts import format_count
from cotpd.data.records import Answer, Extracted, Kind, Post, Quarantined
from cotpd.engine.ordered_map import LOCAL, Engine
from cotpd.errors import ValidationError
from cotpd.expectations import check_rows
from cotpd.extraction.answer_forms import Reading, find_form
from cotpd.extraction.label_questions import LabelQuestion
from cotpd.extraction.params import LlmRowParams
from cotpd.llm.ask import AskResult, ask_all
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import import_configured
from cotpd.llm.outcome import require_answers
from cotpd.llm.params import LlmParams
from cotpd.student.tasks import TaskName, find_task

STEP = "extract"
SUITE = "extracted"


@dataclass
class RowCounts:
    """Counts of the answers of one row, by outcome. ``left_out`` counts mentions of usable answers."""

    asked: int = 0
    unanswered: int = 0
    unusable: int = 0
    left_out: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)

    def describe(self) -> str:
        """Return the counts as words."""
        failures = f"{self.unanswered} without an answer, {self.unusable} unusable"
        mentions = format_count(self.left_out, "mention")
        return f"{format_count(self.asked, 'question')}, {failures}, {mentions} left out"


@dataclass
class Extraction:
    """The table of labels, what was set aside with its reason, and the counts of each row."""

    rows: list[Extracted] = field(default_factory=list)
    quarantine: list[Quarantined] = field(default_factory=list)
    counts: dict[str, RowCounts] = field(default_factory=dict)
    from_ledger: int = 0
    from_server: int = 0


def extract(
    questions: Sequence[LabelQuestion],
    posts: Mapping[str, Post],
    llm: LlmParams,
    params: LlmRowParams,
    *,
    task: TaskName,
    labels: Sequence[str],
    max_unanswered_share: float,
    engine: Engine = LOCAL,
) -> Extraction:
    """Ask the questions, row by row, and read the answers into labels.

    Args:
        questions: Questions of one or several rows.
        posts: By the id of an example, for messages with file and line.
        llm: The model and its ledger.
        params: The share of answers that may fail.
        task: Whose labels.
        labels: The inventory.
        max_unanswered_share: The share of requests that may stay without an answer.
        engine: Whose machines ask.

    Raises:
        LlmError: The model does not answer, or leaves more than the allowed share unanswered.
        ValidationError: More than the allowed share of a row's answers cannot be used.
    """
    extraction = Extraction()
    for row in dict.fromkeys(question.row for question in questions):
        members = [question for question in questions if question.row == row]
        result = ask_all([member.question for member in members], llm, step=STEP, engine=engine)
        require_answers(result.failed, len(members), max_unanswered_share, "ask.max_failed_share", row=row)
        extraction.from_ledger += result.from_ledger
        extraction.from_server += result.from_server
        readings = _read_answers(result, members, posts, task, labels)
        _add_row(extraction, members, readings, result)
        _require_usable(row, extraction, params.max_failed_share)
    return extraction


def select_recorded(questions: Sequence[LabelQuestion], llm: LlmParams) -> list[LabelQuestion]:
    """Return the questions of those rows that the ledger answers wholly. Nothing is asked."""
    requests = [question.question.build_request(llm) for question in questions]
    with Ledger(llm.ledger) as ledger:
        import_configured(ledger, llm)
        answered = ledger.find_answer_keys({request.key: request for request in requests})
    pairs = zip(questions, requests, strict=True)
    missing = {question.row for question, request in pairs if request.key not in answered}
    return [question for question in questions if question.row not in missing]


def _read_answers(
    result: AskResult,
    members: Sequence[LabelQuestion],
    posts: Mapping[str, Post],
    task: TaskName,
    labels: Sequence[str],
) -> list[Reading]:
    """Return the reading of each question's answer; one that fails its checks has a problem."""
    passed, failed = check_rows(result.answers, SUITE, posts, step=STEP)
    answers = {answer.id: answer for answer in passed}
    reasons = {row.id: row.reason for row in (*failed, *result.failed)}
    form = find_form(find_task(task))
    readings = []
    for member in members:
        answer = answers.get(member.example.id)
        if answer is None:
            readings.append(Reading(problem=reasons[member.example.id]))
        else:
            readings.append(form.read(json.loads(answer.text), member.example, labels))
    return readings


def _add_row(
    extraction: Extraction, members: Sequence[LabelQuestion], readings: Sequence[Reading], result: AskResult
) -> None:
    """Add the labels of one row, its rejected answers and mentions, and its counts."""
    answers = {answer.id: answer for answer in result.answers}
    counts = RowCounts(asked=len(members), unanswered=len(result.failed))
    for member, reading in zip(members, readings, strict=True):
        answer = answers.get(member.example.id)
        counts.unusable += bool(reading.problem and answer)
        counts.left_out += len(reading.left_out)
        extraction.rows.append(
            Extracted(
                id=member.example.id,
                split=member.split,
                row=member.row,
                mentions=reading.mentions,
                label=reading.label,
                problem=reading.problem,
                key=answer.key if answer else "",
            )
        )
        extraction.quarantine += _list_quarantined(member, reading, answer)
    extraction.counts[members[0].row] = counts


def _list_quarantined(member: LabelQuestion, reading: Reading, answer: Answer | None) -> list[Quarantined]:
    """Return a row for an answer that cannot be used, or for each mention that was left out of one."""
    reasons = [reading.problem] if reading.problem else reading.left_out
    content = {"kind": Kind.EXTRACT.value, "row": member.row}
    content |= {"text": answer.text, "key": answer.key} if answer else {}
    example = member.example
    return [
        Quarantined(id=example.id, step=STEP, reason=reason, file=example.file, line=example.line, row=content)
        for reason in reasons
    ]


def _require_usable(row: str, extraction: Extraction, allowed: float) -> None:
    """Fail if the figure of a row would be that of its failures."""
    counts = extraction.counts[row]
    answered = counts.asked - counts.unanswered
    if counts.unusable > allowed * answered:
        first = next(entry for entry in extraction.rows if entry.row == row and entry.problem and entry.key)
        answers = format_count(answered, "answer")
        raise ValidationError(
            f"{row}: {counts.unusable} of {answers} cannot be used, more than the {allowed:.0%} allowed; "
            f"first: {first.id}: {first.problem}",
            "Mend the prompt (llm_row.prompts), raise llm_row.max_tokens, ask another model, "
            "or raise llm_row.max_failed_share.",
            extraction.quarantine,
        )
