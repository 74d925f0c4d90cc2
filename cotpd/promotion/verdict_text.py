"""The verdict in words: a table in Markdown for a page, and cells for a terminal."""

from collections.abc import Iterator

from cotpd.counts import format_count
from cotpd.escaping import escape_markdown, make_printable_line
from cotpd.promotion.gate_verdict import RuleResult, Verdict

HEADINGS = ("rule", "verdict", "challenger", "champion", "difference", "interval", "bound", "support")
_PERCENT = ("score", "types", "slices", "calibration")


def list_cells(verdict: Verdict) -> Iterator[tuple[RuleResult, tuple[str, ...]]]:
    """Yield each result with the cells of its row, as the headings name them."""
    for result in verdict.results:
        yield (
            result,
            (
                make_printable_line(result.title),
                result.status,
                _format_figure(result, result.challenger),
                _format_figure(result, result.champion),
                _format_difference(result),
                _format_interval(result),
                _format_bound(result),
                "" if result.support is None else f"{result.support:,}",
            ),
        )


def describe_comparison(verdict: Verdict) -> str:
    """Return one line on what was compared with what, on which posts, by which rules."""
    champion = "no champion yet" if verdict.champion is None else f"champion version {verdict.champion}"
    return (
        f"{verdict.name}: challenger version {verdict.challenger}, {champion}"
        f" (compared with {verdict.reference}), {format_count(verdict.posts_count, 'post')} of {verdict.posts}"
        f" ({verdict.posts_sha256[:12]}), rules {verdict.rules_source} ({verdict.rules_sha256[:12]})"
    )


def format_verdict_markdown(verdict: Verdict) -> str:
    """Return a verdict as Markdown: what was compared, the table, and a line for each failed rule and note.

    Names of types, files and models are escaped: none becomes a link, a picture or HTML.
    """
    heading = "passed" if verdict.passed else f"{len(verdict.list_failures())} rules failed"
    lines = [f"## Gate: {heading}", "", escape_markdown(describe_comparison(verdict)), ""]
    lines += [_join(HEADINGS), _join(("---",) * 2 + ("---:",) * (len(HEADINGS) - 2))]
    lines += [_join((escape_markdown(title), *figures)) for _, (title, *figures) in list_cells(verdict)]
    lines += ["", f"Both ends of an interval hold at {verdict.confidence:.0%} confidence.", ""]
    failures = verdict.list_failures()
    lines += [
        f"- **{escape_markdown(result.title)}**: {escape_markdown(result.explanation)}" for result in failures
    ]
    lines += [f"- {escape_markdown(note)}" for note in verdict.notes]
    return "\n".join(lines) + "\n"


def _join(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _format_figure(result: RuleResult, value: float | None) -> str:
    if value is None:
        return ""
    if result.rule == "time":
        return f"{value:.3f} s"
    if result.rule == "memory":
        return f"{value / 1e6:.0f} MB"
    return f"{100 * value:.2f}"


def _format_difference(result: RuleResult) -> str:
    if result.difference is None:
        return ""
    return f"{100 * result.difference:+.2f}" if result.rule in _PERCENT else f"× {result.difference:.2f}"


def _format_interval(result: RuleResult) -> str:
    if result.low is None or result.high is None:
        return ""
    return f"{100 * result.low:+.2f} to {100 * result.high:+.2f}"


def _format_bound(result: RuleResult) -> str:
    if result.bound is None:
        return ""
    if result.rule in ("time", "memory"):
        return f"× {result.bound:g}"
    return f"{100 * result.bound:+.2f}" if result.rule in _PERCENT else f"{100 * result.bound:.2f}"
