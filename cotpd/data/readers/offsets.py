"""Offsets in the units of different tools: characters, UTF-16 code units (JavaScript, Java) or UTF-8 bytes.

They agree until the first character that takes more than one unit, an emoji or an accent; behind it every span is
shifted. The text of a mention, if the row spells it out, shows the mistake; otherwise borders inside words show
it.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import product
from typing import Literal, NamedTuple

from cotpd.counts import format_count
from cotpd.data.readers.values import RowError
from cotpd.data.records import Span
from cotpd.data.tokenization import FINER_RULES, Token, tokenize

Unit = Literal["characters", "utf16", "bytes"]
UNITS: dict[Unit, str] = {"characters": "characters", "utf16": "UTF-16 code units", "bytes": "UTF-8 bytes"}
_CLAUSES: dict[Unit, str] = {
    "characters": "counted in characters",
    "utf16": "counted in UTF-16",
    "bytes": "counted in bytes",
}
# What is to be added to start and end, the question that asks for it, and the remedy.
_BORDERS: dict[Span, tuple[str, str]] = {
    (0, 0): ("", ""),
    (0, 1): ("is the end inclusive", "the end is exclusive: add 1 to each"),
    (-1, 0): ("counted from 1", "offsets count from 0, end exclusive: take 1 from each start"),
    (-1, -1): ("counted from 1", "offsets count from 0: take 1 from each"),
}
_BLANK = re.compile(r"\s")
_ENCODINGS = {"utf16": ("utf-16-le", 2), "bytes": ("utf-8", 1)}


def find_tokens(
    text: str, tokens: Sequence[Token], span: Span, surface: str | None, unit: Unit
) -> tuple[int, int]:
    """Return the tokens that a span covers exactly.

    Args:
        text: The post.
        tokens: Its tokens.
        span: Start and end, counted in ``unit``.
        surface: The mention as the row spells it out, to check the span against; None if the row does not.
        unit: The unit of the span.

    Raises:
        RowError: The span does not begin and end with a word, or marks another text than ``surface``; the message
            names the unit in which it would fit, if there is one.
    """
    if surface is not None:
        _check_surface(text, span, surface, unit)
    try:
        return _find_covered(tokens, *to_characters(text, *span, unit))
    except RowError as error:
        error = _name_finer_rule(text, span, unit, error)
        fitting = _find_unit(unit, lambda candidate: _may_fit(text, tokens, span, unit, candidate))
        if fitting is None or surface is not None:
            raise error from None
        raise RowError(
            f"{error.reason}: {_CLAUSES[fitting]}?", _explain_unit(fitting, error.remedy), f"fits_in:{fitting}"
        ) from None


def to_characters(text: str, start: int, end: int, unit: Unit) -> Span:
    """Turn a span that is counted in ``unit`` into one that is counted in characters.

    Raises:
        RowError: A border lies inside a character or beyond the text.
    """
    if unit == "characters":
        return start, end
    encoding, width = _ENCODINGS[unit]
    encoded = text.encode(encoding, "surrogatepass")
    borders = []
    for border in (start, end):
        if not 0 <= border * width <= len(encoded):
            raise RowError(
                f"entity {start}:{end} lies outside the text's {len(encoded) // width} {UNITS[unit]}",
                "Mend start and end, or data.offsets.",
            )
        try:
            borders.append(len(encoded[: border * width].decode(encoding)))
        except UnicodeDecodeError:
            raise RowError(
                f"entity {start}:{end} begins or ends inside a character, counted in {UNITS[unit]}",
                "Mend start and end, or data.offsets.",
            ) from None
    return borders[0], borders[1]


def count_units(text: str, unit: Unit) -> int:
    """Return how long a text is, counted in a unit."""
    if unit == "characters":
        return len(text)
    encoding, width = _ENCODINGS[unit]
    return len(text.encode(encoding, "surrogatepass")) // width


def _find_covered(tokens: Sequence[Token], start: int, end: int) -> tuple[int, int]:
    """Return the tokens that a span of characters covers exactly; the error's remedy names the nearest borders."""
    starts = {token.start: number for number, token in enumerate(tokens)}
    ends = {token.end: number + 1 for number, token in enumerate(tokens)}
    if start in starts and end in ends and starts[start] < ends[end]:
        return starts[start], ends[end]
    touched = [token for token in tokens if token.start < end and token.end > start]
    if touched:
        hint = f"The words it touches are {touched[0].start}:{touched[-1].end}; mark those"
    else:
        hint = "There is no word; mark one"
    raise RowError(
        f"entity {start}:{end} does not begin and end with a word", f"{hint}, or give tokens of your own."
    )


def _name_finer_rule(text: str, span: Span, unit: Unit, error: RowError) -> RowError:
    """Return the error with the rule for words in its remedy that would represent the mention, if there is one."""
    for rule in FINER_RULES:
        with suppress(RowError):
            _find_covered(tokenize(text, rule), *to_characters(text, *span, unit))
            return RowError(error.reason, f"{error.remedy} The rule {rule} fits it (data.words).", error.notice)
    return error


def _find_unit(unit: Unit, fits: Callable[[Unit], bool]) -> Unit | None:
    """Return another unit in which a span would fit."""
    return next((candidate for candidate in UNITS if candidate != unit and fits(candidate)), None)


def _may_fit(text: str, tokens: Sequence[Token], span: Span, unit: Unit, candidate: Unit) -> bool:
    """Whether a span would mark whole words, and different ones, if it were counted in the unit ``candidate``."""
    try:
        counted = to_characters(text, *span, candidate)
        _find_covered(tokens, *counted)
    except RowError:
        return False
    return counted != span or unit != "characters"


def _check_surface(text: str, span: Span, surface: str, unit: Unit) -> None:
    """Check a span against the mention that its row spells out.

    Raises:
        RowError: They differ; the remedy names the way of counting in which they would agree, if there is one.
    """
    marked = _mark(text, span, unit)
    if _is_same(marked, surface):
        return
    shown = "nothing" if marked is None else repr(marked)
    reason = f"entity {span[0]}:{span[1]} marks {shown}, not {surface!r}"
    ways = _list_ways(text, span, surface, unit)
    if ways:
        questions, remedies = zip(*(_explain_way(way, unit) for way in ways), strict=True)
        first = ways[0]
        notice = f"fits_if:{questions[0]}" if any(first.borders) else f"fits_in:{first.unit}"
        raise RowError(f"{reason}: {', or '.join(questions)}?", _join_remedies(remedies), notice)
    if shift := _find_shift(text, span[0], surface):  # none without a shift: then the end alone is wrong
        direction = "earlier" if shift < 0 else "later"
        distance = format_count(abs(shift), "character")
        raise RowError(
            f"{reason}, which stands {distance} {direction}: was the text changed afterwards?",
            "Give the text as it was marked: trimming it, unescaping &amp; or changing line ends moves offsets.",
        )
    raise RowError(reason, "Mend start and end, or the entity's own text.")


class Way(NamedTuple):
    """A way of counting: the unit, and what start and end lack to the one of this project."""

    unit: Unit
    borders: Span


def _list_ways(text: str, span: Span, surface: str, unit: Unit) -> list[Way]:
    """List the ways of counting in which a span marks a mention: those that differ least from the one in use.

    Behind one emoji, offsets in UTF-16 and offsets from 1 are the same numbers.
    """
    fitting: dict[int, list[Way]] = {1: [], 2: []}
    for borders, candidate in product(_BORDERS, UNITS):
        differences = (candidate != unit) + (borders != (0, 0))
        shifted = (span[0] + borders[0], span[1] + borders[1])
        if differences and _is_alike(_mark(text, shifted, candidate), surface):
            fitting[differences].append(Way(candidate, borders))
    return fitting[1] or fitting[2]


def _explain_way(way: Way, unit: Unit) -> tuple[str, str]:
    """Return the question that asks whether offsets were counted so, and the remedy."""
    question, remedy = _BORDERS[way.borders]
    if way.unit == unit:
        return question, remedy
    setting = f"set data.offsets: {way.unit} (--offsets {way.unit})"
    clauses = [_CLAUSES[way.unit], *([question.removeprefix("counted ")] if question else [])]
    return " and ".join(clauses), ", and ".join([setting, *([remedy] if remedy else [])])


def _join_remedies(remedies: Sequence[str]) -> str:
    """Join the remedies of ways of counting that fit alike: rows without an emoji or an accent tell them apart."""
    first, *others = remedies
    sentence = f"{first[0].upper()}{first[1:]}."
    if not others:
        return sentence
    return f"{sentence} Or, if rows of plain ASCII are refused, too: {'; or '.join(others)}."


def _find_shift(text: str, start: int, surface: str) -> int | None:
    """Return how far from a start the nearest occurrence of a mention stands; None if it stands nowhere."""
    positions = [match.start() for match in re.finditer(re.escape(surface), text)] if surface else []
    return min((position - start for position in positions), key=abs, default=None)


def _mark(text: str, span: Span, unit: Unit) -> str | None:
    """Return the part of a text that a span marks; None if it marks nothing or does not fit in this unit."""
    if not 0 <= span[0] < span[1]:
        return None
    try:
        start, end = to_characters(text, *span, unit)
    except RowError:
        return None
    return text[start:end] if end <= len(text) else None


def _is_same(marked: str | None, surface: str) -> bool:
    """Whether two spellings of a mention agree; tools write line breaks and doubled spaces as one space."""
    return marked is not None and (marked == surface or marked.split() == surface.split() != [])


def _is_alike(marked: str | None, surface: str) -> bool:
    """Whether two spellings agree sign by sign, each blank like any other: one blank more is another span."""
    return marked is not None and _BLANK.sub(" ", marked) == _BLANK.sub(" ", surface)


def _explain_unit(fitting: Unit, otherwise: str = "") -> str:
    """Return the remedy for offsets in another unit: a parameter of the pipeline, or an option of the check."""
    return f"Set data.offsets: {fitting} (--offsets {fitting})." + (f" If not: {otherwise}" if otherwise else "")
