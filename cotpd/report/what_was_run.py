"""The tables that say what was run: data with its digests, models, parameters, cost by source."""

from typing import Any

from cotpd.report.browsable_posts import PostTables
from cotpd.report.run_record import RunRecord, SourceCost
from cotpd.report.table_writer import Table


def tabulate_data(tables: PostTables) -> Table:
    """Return posts, annotations, pictures, captions and answers of each split."""
    headings = ("split", "posts", "entities", "relations", "pictures", "captions", "answers")
    rows = []
    for split, posts in tables.posts.items():
        counts = (
            len(posts),
            sum(len(post.entities) for post in posts),
            sum(len(post.relations) for post in posts),
            sum(post.image is not None for post in posts),
            sum(post.id in tables.captions for post in posts),
            sum(len(tables.knowledge.get(post.id, {})) for post in posts),
        )
        rows.append([split, *map(str, counts)])
    return Table(headings, rows, title="Data")


def tabulate_models(record: RunRecord) -> Table:
    """Return the models of a run; the fingerprint stands for all that a training depends on."""
    rows = [[model.role, model.name, model.fingerprint[:12]] for model in record.models]
    return Table(("part", "model", "fingerprint"), rows, texts=3, title="Models")


def tabulate_digests(record: RunRecord) -> Table:
    """Return the rows of each table and the sha256 of its bytes."""
    rows = [[table.name, table.sha256, str(table.rows)] for table in record.tables]
    return Table(("table", "sha256", "rows"), rows, texts=2, title="Digests of the data")


def tabulate_settings(record: RunRecord) -> Table:
    """Return the parameters that differ from the defaults."""
    rows = [
        [setting.name, format_setting(setting.value), format_setting(setting.default)]
        for setting in record.settings
        if setting.is_changed
    ]
    return Table(
        ("parameter", "value", "default"), rows, texts=3, title="Parameters that differ from the defaults"
    )


def tabulate_costs(record: RunRecord) -> Table:
    """Return answers, tokens and dollars by source, and their sum."""
    rows = [_list_cost_cells(cost) for cost in record.costs]
    if len(record.costs) > 1:
        rows.append(_list_cost_cells(_sum_costs(record)))
    headings = ("answers about", "answers", "tokens sent", "tokens received", "dollars")
    return Table(headings, rows, title="Cost of the answers", note=record.cost_note)


def _sum_costs(record: RunRecord) -> SourceCost:
    dollars = [cost.dollars for cost in record.costs]
    priced = [value for value in dollars if value is not None]
    return SourceCost(
        source="all",
        answers=sum(cost.answers for cost in record.costs),
        sent=sum(cost.sent for cost in record.costs),
        received=sum(cost.received for cost in record.costs),
        dollars=sum(priced) if len(priced) == len(dollars) else None,
    )


def _list_cost_cells(cost: SourceCost) -> list[str]:
    dollars = "not known" if cost.dollars is None else f"{cost.dollars:,.4f}"
    return [cost.source, f"{cost.answers:,}", f"{cost.sent:,}", f"{cost.received:,}", dollars]


def format_setting(value: Any) -> str:
    """Return a parameter's value as text, a list joined by commas."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
