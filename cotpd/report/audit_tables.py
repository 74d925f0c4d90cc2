"""Tables of rows that were set aside, and of posts that augmentation made and refused, with reasons."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, groupby
from pathlib import PurePath
from typing import Any, NamedTuple

from cotpd.counts import format_count
from cotpd.data.data_checks import CheckedTable
from cotpd.data.records import Augmented, Kind, Post, Quarantined
from cotpd.report.table_writer import Table

SHOWN = 4  # examples of each reason, and of each kind of augmentation
_LONGEST = 60  # reasons in a table; the last row counts those beyond
AUGMENT = "augment"  # the step that quarantined rows of augmentation name
_OUTCOMES = ("kept", "rejected", "unanswered", "unsuitable")


class Refused(NamedTuple):
    """A row that was set aside: where it came from, the reason, and what there is to see of it."""

    id: str
    place: str
    reason: str
    remedy: str
    details: list[tuple[str, str]]


class Made(NamedTuple):
    """A further training post beside the one that it was made from."""

    id: str
    before: str
    after: str
    caption: str
    evidence: str


class KindAudit(NamedTuple):
    """The counts and examples of one kind of augmentation."""

    kind: str
    reasons: Table
    made: list[Made]
    refused: list[Refused]


def tabulate_checks(checks: Sequence[CheckedTable]) -> Table:
    """Return the rows of each table that were checked, and those that failed."""
    rows = [[check.name, str(check.rows), str(check.failed), f"{check.failed_share:.1%}"] for check in checks]
    return Table(("table", "rows", "failed", "share"), rows, title="Checks of the data")


def tabulate_reasons(rows: Sequence[Quarantined]) -> Table:
    """Return step, reason and number of the rows that were set aside, the most frequent first."""
    counts = Counter((row.step, row.reason) for row in rows)
    by_frequency = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    lines = [[step, reason, str(count)] for (step, reason), count in by_frequency[:_LONGEST]]
    if beyond := by_frequency[_LONGEST:]:
        lines.append(["", format_count(len(beyond), "further reason"), str(sum(count for _, count in beyond))])
    return Table(("step", "reason", "rows"), lines, texts=2, title="Set aside")


def list_refused(rows: Sequence[Quarantined]) -> list[tuple[str, list[Refused]]]:
    """Return some of the rows of each step that were set aside, no reason more often than :data:`SHOWN`."""
    shown: list[Quarantined] = []
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        counts[row.step, row.reason] += 1
        if counts[row.step, row.reason] <= SHOWN and len(counts) <= _LONGEST:
            shown.append(row)
    steps = groupby(sorted(shown, key=lambda row: row.step), key=lambda row: row.step)
    return [(step, list(map(_describe_refused, members))) for step, members in steps]


def _describe_refused(row: Quarantined) -> Refused:
    source = f"{PurePath(row.file).name}:{row.line}" if row.file else ""
    details = row.row.items() if isinstance(row.row, dict) else [("row", row.row)]
    shown = [(str(key), str(value)) for key, value in details if value not in (None, "") and key != "key"]
    return Refused(row.id, source, row.reason, row.remedy, shown)


def tabulate_augmentation(counts: Mapping[str, Any]) -> Table:
    """Return how many posts of each kind of augmentation were kept, rejected, unanswered and unsuitable."""
    outcomes_of = {kind: outcomes for kind, outcomes in counts.items() if isinstance(outcomes, dict)}
    headings = list(dict.fromkeys(chain(_OUTCOMES, *outcomes_of.values())))
    rows = []
    for kind, outcomes in outcomes_of.items():
        rows.append([kind, *(str(outcomes.get(name, 0)) for name in headings)])
    return Table(("kind", *headings), rows, title="Augmentation of the training split")


def compare_augmentation(
    accepted: Sequence[Augmented], rows: Sequence[Quarantined], training_posts: Sequence[Post]
) -> list[KindAudit]:
    """Return what each kind of augmentation made and refused, with the reasons and some examples of both."""
    texts = {post.id: post.text for post in training_posts}
    refused = [row for row in rows if row.step == AUGMENT]
    kinds = dict.fromkeys((*(row.kind for row in accepted), *map(_find_kind, refused)))
    return [
        _gather_kind(
            kind,
            [row for row in accepted if row.kind == kind],
            [row for row in refused if _find_kind(row) == kind],
            texts,
        )
        for kind in kinds
    ]


def _gather_kind(
    kind: Kind | str, accepted: Sequence[Augmented], refused: Sequence[Quarantined], texts: Mapping[str, str]
) -> KindAudit:
    reasons = Counter(row.reason for row in refused)
    lines = [[reason, str(count)] for reason, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair))]
    examples = [
        Made(row.post.id, texts.get(row.of, ""), row.post.text, row.caption or "", row.evidence)
        for row in accepted[:SHOWN]
    ]
    listed = list(chain.from_iterable(members for _, members in list_refused(refused)))
    title = f"{kind}: {len(accepted)} made, {len(refused)} refused"
    table = Table(("reason", "posts"), lines[:_LONGEST], title=title)
    return KindAudit(str(kind), table, examples, listed)


def _find_kind(row: Quarantined) -> str:
    """Return the kind of augmentation of a row that was set aside."""
    return str(row.row.get("kind", "")) if isinstance(row.row, dict) else ""
