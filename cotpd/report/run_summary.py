"""The scores of a run in Markdown, for a pull request."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cotpd.escaping import escape_markdown
from cotpd.report.evaluation_files import EvaluationFiles
from cotpd.report.run_tables import tabulate_scores
from cotpd.report.table_writer import Table, split_table, write_markdown
from cotpd.report.what_was_run import tabulate_costs, tabulate_settings
from cotpd.student.tasks import TaskName, find_task

_GAIN_COLUMNS = 3  # at the end of the table of scores: gain, interval, p


def write_summary(
    files: EvaluationFiles, task: TaskName, splits: Sequence[str], *, is_narrow: bool = False
) -> str:
    """Return scores, diagnoses, changed parameters and cost of a run as Markdown.

    Args:
        files: The files of the run's evaluation.
        task: The run's task.
        splits: The splits in their order; those without scores are left out.
        is_narrow: Give the gains a table of their own, for a page that cuts wide ones off.
    """
    definition, record = find_task(task), files.record
    scored = [split for split in splits if split in files.metrics]
    parts = [f"## {definition.title}"]
    parts += [
        _write_scores(tabulate_scores(split, files.metrics[split], definition), is_narrow) for split in scored
    ]
    parts += map(_describe_diagnosis, files.diagnoses)
    if record is not None:
        tables = [tabulate_settings(record), tabulate_costs(record)]
        parts += [_write_part(table) for table in tables if table.rows]
        parts += (
            [f"Commit {record.commit}{', with changes' if record.is_changed else ''}."] if record.commit else []
        )
    for missing in files.missing:
        parts.append(f"Not shown: {missing.lacks} ({missing.name}: {escape_markdown(missing.reason)}).")
    return "\n\n".join(parts)


def _write_scores(table: Table, is_narrow: bool) -> str:
    if not is_narrow:
        return _write_part(table)
    scores, gains = split_table(table, len(table.headings) - _GAIN_COLUMNS)
    return "\n\n".join(map(_write_part, (replace(scores, note=""), replace(gains, title=""))))


def _write_part(table: Table) -> str:
    title = f"### {escape_markdown(table.title)}" if table.title else ""
    parts = (title, write_markdown(table), escape_markdown(table.note))
    return "\n\n".join(part for part in parts if part)


def _describe_diagnosis(diagnosis: Mapping[str, object]) -> str:
    words = [escape_markdown(str(diagnosis.get(key) or "")) for key in ("title", "evidence", "remedy")]
    return f"**{words[0]}.** {words[1]} {words[2]}".strip()
