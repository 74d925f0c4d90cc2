"""The page of a run: what was run, its scores, plots and diagnoses, its posts, and the checks of its data.

It is built from the files of an evaluation and the tables of the data, whichever are there; what is missing is
named on the page. The same files give the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cotpd.counts import format_count
from cotpd.data.records import SPLITS, Augmented, Quarantined, TaskName
from cotpd.evaluation.reliability import Calibration, compute_calibrations
from cotpd.evaluation.results_table import ROWS, group_predictions
from cotpd.report.audit_tables import (
    compare_augmentation,
    list_refused,
    tabulate_augmentation,
    tabulate_checks,
    tabulate_reasons,
)
from cotpd.report.browsable_posts import PostTables, list_browsable
from cotpd.report.evaluation_files import EvaluationFiles, Missing
from cotpd.report.html_page import render_page, write_page
from cotpd.report.plot_figures import (
    Figure,
    build_curves,
    build_differences,
    build_reliability,
    build_types,
)
from cotpd.report.run_tables import (
    list_tiles,
    tabulate_buckets,
    tabulate_calibration,
    tabulate_causes,
    tabulate_schemas,
    tabulate_scores,
    tabulate_slices,
    tabulate_types,
)
from cotpd.report.table_writer import Table
from cotpd.report.what_was_run import (
    tabulate_costs,
    tabulate_data,
    tabulate_digests,
    tabulate_models,
    tabulate_settings,
)
from cotpd.student.tasks import Task, find_task

SCRIPTS = ("core.js", "plots.js", "posts.js")
TEMPLATE = "run.html.j2"
_RECORD_TABLES = (tabulate_models, tabulate_digests, tabulate_costs)
_LEVEL = 0.05  # of a p-value, after correction
_SUSPECTS = 200  # rows of suspected errors on the page; the file has all of them


@dataclass
class RunMaterial:
    """Everything that the page of a run is made from.

    Attributes:
        task: The run's task.
        files: The files that :func:`cotpd.report.evaluation_files.read_evaluation` returns.
        tables: The prepared posts with their knowledge.
        quarantine: Rows that were set aside, of every step.
        augmented: The further training posts.
        augment_counts: How many of each kind were made and rejected.
        missing: Tables of the data that are not there.
    """

    task: TaskName
    files: EvaluationFiles
    tables: PostTables = field(default_factory=PostTables)
    quarantine: Sequence[Quarantined] = ()
    augmented: Sequence[Augmented] = ()
    augment_counts: Mapping[str, Any] = field(default_factory=dict)
    missing: Sequence[Missing] = ()


def write_run_page(material: RunMaterial, path: Path) -> None:
    """Write the page of a run, whole or not at all.

    Raises:
        StorageError: The disk is full.
        DataError: A prediction names an unknown row or split.
    """
    write_page(render_run_page(material), path)


def render_run_page(material: RunMaterial) -> str:
    """Return the page of a run as HTML."""
    files, task = material.files, find_task(material.task)
    groups = group_predictions(files.predictions)
    calibrations = {split: compute_calibrations(rows) for split, rows in groups.items()}
    posts = list_browsable(material.task, material.tables, files.predictions, files.nearest)
    figures = _build_figures(material, calibrations, task)
    return render_page(
        TEMPLATE,
        SCRIPTS,
        {"posts": posts, "figures": figures},
        task=task,
        title=f"CoTPD: {task.title}",
        record=files.record,
        row_names=ROWS,
        tiles=list_tiles({split: files.metrics[split] for split in _order(files.metrics)}, task),
        missing=[*files.missing, *material.missing],
        figures=[figure["id"] for figure in figures],
        suspects=list(files.suspects)[:_SUSPECTS],
        suspect_count=len(files.suspects),
        diagnoses=files.diagnoses,
        explained=files.explained,
        cut=posts["cut"],
        post_count=len(posts["examples"]),
        **_build_tables(material, calibrations, task),
        **_build_audit(material),
    )


def _build_figures(
    material: RunMaterial, calibrations: Mapping[str, Mapping[str, Calibration]], task: Task
) -> list[Figure]:
    files = material.files
    figures = [build_types(split, files.metrics, files.intervals, task) for split in _order(files.metrics)]
    figures += [build_reliability(split, members) for split, members in calibrations.items() if members]
    figures += build_curves(files.curves, task)
    for number, (title, rows) in enumerate(_group_buckets(files.buckets).items()):
        figures.append(build_differences(f"buckets-{number}", title, task.score_name, rows))
    return figures


def _group_buckets(
    buckets: Sequence[Mapping[str, Any]],
) -> dict[str, list[tuple[str, float, float, float, bool]]]:
    """Return the differences of each split, row and comparison that have an interval, by title."""
    groups: dict[str, list[tuple[str, float, float, float, bool]]] = {}
    for row in buckets:
        figures = [row.get(key) for key in ("difference", "low", "high")]
        if not all(isinstance(figure, int | float) for figure in figures):
            continue
        value, low, high = (float(figure or 0) for figure in figures)
        name, against = (ROWS.get(str(row.get(key)), str(row.get(key))) for key in ("row", "against"))
        title = f"By bucket on {row.get('split')}: {name} over {against}"
        label = f"{row.get('by')}: {row.get('bucket')} ({format_count(row['posts'], 'post')})"
        p_holm = row.get("p_holm")
        is_certain = isinstance(p_holm, float) and p_holm < _LEVEL
        groups.setdefault(title, []).append((label, value, low, high, is_certain))
    return groups


def _build_tables(
    material: RunMaterial, calibrations: Mapping[str, Mapping[str, Calibration]], task: Task
) -> dict[str, Any]:
    files = material.files
    splits = _order(files.metrics)
    groups = group_predictions(files.predictions)
    slices = [tabulate_slices(split, files.intervals, task) for split in splits]
    reliability = [tabulate_calibration(split, members) for split, members in calibrations.items()]
    causes = [tabulate_causes(split, rows) for split, rows in groups.items()] if task.has_extents else []
    return {
        "score_tables": [tabulate_scores(split, files.metrics[split], task) for split in splits],
        "type_tables": [tabulate_types(split, files.metrics[split], task) for split in splits],
        "slice_tables": [table for table in slices if table],
        "reliability_tables": [table for table in reliability if table],
        "cause_tables": causes,
        "bucket_tables": tabulate_buckets(files.buckets, task),
        "schema_tables": tabulate_schemas(files.schemas),
    }


def _build_audit(material: RunMaterial) -> dict[str, Any]:
    record = material.files.record
    data: list[Table] = [tabulate_data(material.tables)] if material.tables.posts else []
    training_posts = material.tables.posts.get("train", ())
    return {
        "data_table": data,
        "run_tables": [tabulate(record) for tabulate in _RECORD_TABLES] if record else [],
        "settings_table": tabulate_settings(record) if record else None,
        "check_table": tabulate_checks(record.checks) if record and record.checks else None,
        "warnings": record.warnings if record else (),
        "corrected": material.files.corrected,
        "reasons_table": tabulate_reasons(material.quarantine),
        "refused": list_refused([row for row in material.quarantine if row.step != "augment"]),
        "augment_table": tabulate_augmentation(material.augment_counts),
        "augment_audit": compare_augmentation(material.augmented, material.quarantine, training_posts),
    }


def _order(metrics: Mapping[str, Any]) -> list[str]:
    """Return the splits in their fixed order: scores.json has its keys sorted."""
    return [split for split in SPLITS if split in metrics]
