"""Offsets in the units that tools count in: characters, UTF-16 code units (JavaScript, Java) or UTF-8 bytes.

They agree until the first character that takes more than one unit, an emoji or an accent; from there on each span
is shifted. A span's own text tells, where it is given; otherwise borders inside words do.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from cotpd.data.readers.values import RowError
from cotpd.data.tokenization import Token

Unit = Literal["characters", "utf16", "bytes"]
UNITS: dict[Unit, str] = {"characters": "characters", "utf16": "UTF-16 code units", "bytes": "UTF-8 bytes"}
_QUESTIONS: dict[Unit, str] = {
    "characters": "counted in characters?",
    "utf16": "counted in UTF-16?",
    "bytes": "counted in bytes?",
}
_ENCODINGS = {"utf16": ("utf-16-le", 2), "bytes": ("utf-8", 1)}
CharacterSpan = tuple[int, int]


def find_tokens(
    text: str, tokens: Sequence[Token], span: CharacterSpan, surface: str | None, unit: Unit
) -> tuple[int, int]:
    """Find the tokens that a span covers exactly.

    Args:
        text: The post.
        tokens: Its tokens.
        span: Start and end, counted in ``unit``.
        surface: The mention as the data set spells it, to check the span against; None where it does not.
        unit: The unit that the span is counted in.

    Raises:
        RowError: The span does not begin and end with a word, or marks something else than ``surface``; the
            message says so if it would fit, counted otherwise.
    """
    if surface is not None:
        _check_surface(text, span, surface, unit)
    try:
        return _cover(tokens, *to_characters(text, *span, unit))
    except RowError as bad:
        fitting = _find_unit(unit, lambda candidate: _fits(text, tokens, span, unit, candidate))
        if fitting is None or surface is not None:
            raise
        raise RowError(
            f"{bad.reason}: {_QUESTIONS[fitting]}", _remedy(fitting, bad.remedy), f"fits_in:{fitting}"
        ) from None


def to_characters(text: str, start: int, end: int, unit: Unit) -> CharacterSpan:
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


def _cover(tokens: Sequence[Token], start: int, end: int) -> tuple[int, int]:
    """Find the tokens that a span of characters covers exactly; the remedy names the nearest borders."""
    starts = {token.start: number for number, token in enumerate(tokens)}
    ends = {token.end: number + 1 for number, token in enumerate(tokens)}
    if start in starts and end in ends and starts[start] < ends[end]:
        return starts[start], ends[end]
    touched = [token for token in tokens if token.start < end and token.end > start]
    near = (
        f"The words it touches are {touched[0].start}:{touched[-1].end}; mark those"
        if touched
        else "There is no word; mark one"
    )
    raise RowError(
        f"entity {start}:{end} does not begin and end with a word", f"{near}, or give tokens of your own."
    )


def _find_unit(unit: Unit, fits: Callable[[Unit], bool]) -> Unit | None:
    """Find another unit in which a span would fit."""
    return next((candidate for candidate in UNITS if candidate != unit and fits(candidate)), None)


def _fits(text: str, tokens: Sequence[Token], span: CharacterSpan, unit: Unit, candidate: Unit) -> bool:
    """Whether a span would mark whole words, and other ones, if it were counted in another unit."""
    try:
        counted = to_characters(text, *span, candidate)
        _cover(tokens, *counted)
    except RowError:
        return False
    return counted != span or unit != "characters"


def _check_surface(text: str, span: CharacterSpan, surface: str, unit: Unit) -> None:
    """Check a span against the mention that its row spells out.

    Raises:
        RowError: They differ; the remedy says in which other way of counting they would agree.
    """
    marked = _mark(text, span, unit)
    if _is_same(marked, surface):
        return
    shown = "nothing" if marked is None else repr(marked)
    reason = f"entity {span[0]}:{span[1]} marks {shown}, not {surface!r}"
    fitting = _find_unit(unit, lambda candidate: _is_same(_mark(text, span, candidate), surface))
    if fitting is not None:
        raise RowError(f"{reason}: {_QUESTIONS[fitting]}", _remedy(fitting), f"fits_in:{fitting}")
    raise RowError(*_explain_border(text, span, surface, unit, reason))


def _explain_border(text: str, span: CharacterSpan, surface: str, unit: Unit, reason: str) -> tuple[str, str]:
    """Say how the borders may have been counted: the reason with a question, and the remedy."""
    start, end = span
    if _is_same(_mark(text, (start, end + 1), unit), surface):
        return f"{reason}: is the end inclusive?", "The end is exclusive: add 1 to each."
    if _is_same(_mark(text, (start - 1, end), unit), surface):
        return f"{reason}: counted from 1?", "Offsets count from 0, end exclusive: take 1 from each start."
    if _is_same(_mark(text, (start - 1, end - 1), unit), surface):
        return f"{reason}: counted from 1?", "Offsets count from 0: take 1 from each."
    return reason, "Mend start and end, or the entity's own text."


def _mark(text: str, span: CharacterSpan, unit: Unit) -> str | None:
    """The part of a text that a span marks; None where it marks nothing, or cannot be counted so."""
    if not 0 <= span[0] < span[1]:
        return None
    try:
        start, end = to_characters(text, *span, unit)
    except RowError:
        return None
    return text[start:end] if end <= len(text) else None


def _is_same(marked: str | None, surface: str) -> bool:
    """Whether two spellings of a mention agree; tools write line breaks and doubled blanks as one blank."""
    return marked is not None and (marked == surface or marked.split() == surface.split() != [])


def _remedy(fitting: Unit, otherwise: str = "") -> str:
    """How to read offsets in the unit that fits; in the pipeline by a parameter, in a check by an option."""
    return f"Set data.offsets: {fitting} (--offsets {fitting})." + (f" If not: {otherwise}" if otherwise else "")
