"""Offsets in the units of different tools: characters, UTF-16 code units (JavaScript, Java) or UTF-8 bytes.

They agree until the first character that takes more than one unit, an emoji or an accent; behind it every span is
shifted. The text of a mention, if the row spells it out, shows the mistake; otherwise borders inside words show
it.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal

from cotpd.data.readers.values import RowError
from cotpd.data.records import Span
from cotpd.data.tokenization import FINER_RULES, Token, tokenize

Unit = Literal["characters", "utf16", "bytes"]
UNITS: dict[Unit, str] = {"characters": "characters", "utf16": "UTF-16 code units", "bytes": "UTF-8 bytes"}
_QUESTIONS: dict[Unit, str] = {
    "characters": "counted in characters?",
    "utf16": "counted in UTF-16?",
    "bytes": "counted in bytes?",
}
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
            f"{error.reason}: {_QUESTIONS[fitting]}", _explain_unit(fitting, error.remedy), f"fits_in:{fitting}"
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
    fitting = _find_unit(unit, lambda candidate: _is_same(_mark(text, span, candidate), surface))
    if fitting is not None:
        raise RowError(f"{reason}: {_QUESTIONS[fitting]}", _explain_unit(fitting), f"fits_in:{fitting}")
    raise RowError(*_explain_border(text, span, surface, unit, reason))


def _explain_border(text: str, span: Span, surface: str, unit: Unit, reason: str) -> tuple[str, str]:
    """Guess how the borders were counted; return the reason, with a question added, and the remedy."""
    start, end = span
    if _is_same(_mark(text, (start, end + 1), unit), surface):
        return f"{reason}: is the end inclusive?", "The end is exclusive: add 1 to each."
    if _is_same(_mark(text, (start - 1, end), unit), surface):
        return f"{reason}: counted from 1?", "Offsets count from 0, end exclusive: take 1 from each start."
    if _is_same(_mark(text, (start - 1, end - 1), unit), surface):
        return f"{reason}: counted from 1?", "Offsets count from 0: take 1 from each."
    if shift := _find_shift(text, start, surface):  # none without a shift: then the end alone is wrong
        direction = "earlier" if shift < 0 else "later"
        return (
            f"{reason}, which stands {abs(shift)} characters {direction}: was the text changed afterwards?",
            "Give the text as it was marked: trimming it, or unescaping &amp;, moves what stands behind.",
        )
    return reason, "Mend start and end, or the entity's own text."


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


def _explain_unit(fitting: Unit, otherwise: str = "") -> str:
    """Return the remedy for offsets in another unit: a parameter of the pipeline, or an option of the check."""
    return f"Set data.offsets: {fitting} (--offsets {fitting})." + (f" If not: {otherwise}" if otherwise else "")
