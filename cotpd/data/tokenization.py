"""Split text into words, by one of four rules: social, syllables, characters, whitespace.

The conventions of ``social`` are those of Twitter-2015/2017: handles and addresses are one token, ``#`` is a token
of its own (so that "#NASA" holds the mention "NASA"), clitics are split off, and every other symbol (an emoji with
its modifiers included) is one token. Scripts that write no blanks are cut into graphemes, but for a
name of up to three signs that stands alone. Which signs belong to which class is asked of Unicode's properties,
never of tables here.

Tokens cover every sign that is not blank, in order and without overlap, whatever the text and the rule.
"""

import html
from collections.abc import Sequence
from html.entities import html5
from typing import NamedTuple

import regex

from cotpd.data.records import Span, TextRule

TEXT_RULES: tuple[TextRule, ...] = ("social", "syllables", "characters", "whitespace")
FINER_RULES: tuple[TextRule, ...] = ("syllables", "characters")  # than social
FINEST: TextRule = "graphemes"  # no student reads these: they show which mentions any rule could represent

# Letters and numbers of scripts that write no blanks: Han and Kana; Thai, Lao, Khmer, Myanmar (line break SA), and
# Javanese, Balinese and their kin (AK, AP, AS).
IDEOGRAPHIC = r"[\p{scx=Hani}\p{scx=Hira}\p{scx=Kana}&&[\p{L}\p{N}]]"
SYLLABIC = r"[\p{LB=SA}\p{LB=AK}\p{LB=AP}\p{LB=AS}&&[\p{L}\p{N}]]"
_UNSPACED = rf"[{IDEOGRAPHIC}{SYLLABIC}]"
_UNCASED = (
    rf"[{_UNSPACED}\p{{Lo}}]"  # Arabic, Hebrew, Hangul, Devanagari ...: words that carry particles and clitics
)
_HANGUL = rf"[{_UNSPACED}\p{{Hangul}}&&\p{{L}}]"
_SIGN_OF_WORD = r"[\p{L}\p{M}\p{N}_]"
_APOSTROPHES = "['’]"
_RARE_APOSTROPHES = "[ʼ＇‘`´′]"  # only behind a letter: some of them open quotations as well
_CLITICS = r"(?i:s|re|ve|ll|d|m|t)\b"
# One orthographic syllable: leading vowels, a cluster, dependent vowels, and a consonant that a killer silences.
_SYLLABLE = (
    r"\p{LOE}*\X(?:[\p{InSC=Vowel_Dependent}--\p{LOE}]\p{M}*"
    r"|(?=[\p{InSC=Consonant}]\p{M}*?\p{InSC=Pure_Killer})\X)*"
)
_ENTITY = regex.compile(r"&(?:amp;)*(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]*);")
_STAND_IN = "\ufffc"  # of an entity that stands for a blank or for nothing: it is a sign of the text as given


class Token(NamedTuple):
    """A token and its character offsets in the text, end exclusive."""

    text: str
    start: int
    end: int


def tokenize(text: str, rule: TextRule = "social") -> list[Token]:
    """Split text into tokens; whatever stands between two tokens is white space.

    Args:
        text: As it was written; an HTML entity (``&amp;``) counts as the one sign that it stands for.
        rule: Offsets count the text as given, whatever the rule.
    """
    pattern = _PATTERNS[rule]
    if "&" not in text or rule == "whitespace" or not _ENTITY.search(text):
        return [Token(match.group(), match.start(), match.end()) for match in pattern.finditer(text)]
    decoded, borders = _decode_entities(text)
    spans = ((borders[match.start()], borders[match.end()]) for match in pattern.finditer(decoded))
    return [Token(text[start:end], start, end) for start, end in spans]


def find_words(words: Sequence[str], text: str) -> list[Token]:
    """Return words where they stand in the text that they were taken from, each behind the one before it.

    Raises:
        ValueError: The text does not hold one of them there.
    """
    tokens: list[Token] = []
    end = 0
    for word in words:
        start = text.find(word, end)
        if start < 0:
            raise ValueError(f"token {word!r} is not in the rest of the text")
        end = start + len(word)
        tokens.append(Token(word, start, end))
    return tokens


def join_tokens(tokens: Sequence[str]) -> tuple[str, list[Span]]:
    """Join tokens with single spaces; return the text and each token's character offsets."""
    offsets = []
    position = 0
    for token in tokens:
        offsets.append((position, position + len(token)))
        position += len(token) + 1
    return " ".join(tokens), offsets


def _decode_entities(text: str) -> tuple[str, list[int]]:
    """Return a text with each HTML entity as one sign, and where each of its signs begins in the text as given."""
    pieces: list[str] = []
    borders: list[int] = []
    position = 0
    for match in _ENTITY.finditer(text):
        sign = _decode_entity(match.group())
        if sign is None:
            continue
        pieces += [text[position : match.start()], sign]
        borders += [*range(position, match.start()), match.start()]
        position = match.end()
    pieces.append(text[position:])
    borders += range(position, len(text) + 1)
    return "".join(pieces), borders


def _decode_entity(entity: str) -> str | None:
    """Return the one sign that an HTML entity stands for, however often its & was escaped; None if it is none."""
    name = entity[1:]
    while name.startswith("amp;") and name != "amp;":
        name = name.removeprefix("amp;")
    if not name.startswith("#") and name not in html5:
        return None
    sign = html.unescape(f"&{name}")
    return sign if len(sign) == 1 and not sign.isspace() else _STAND_IN


def _build_pattern(cut: str, unit: str, joints: str, most_alone: int = 0) -> "regex.Pattern[str]":
    """Return the pattern of a rule.

    Args:
        cut: The class of letters that no word holds.
        unit: What is cut out of a stretch of such letters.
        joints: What joins two words into one.
        most_alone: The longest stretch of such letters, in signs, that is a word where it stands alone.
    """
    letter = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--{cut}--ʼ]"
    invisible = r"[\p{DI}--[\p{L}\p{M}]]"  # soft hyphens, zero-width signs, marks of direction
    word = rf"{letter}+(?:{invisible}+{letter}+)*"
    alone = rf"(?<!{_SIGN_OF_WORD})(?:(?={cut})\X){{1,{most_alone}}}+(?!{_SIGN_OF_WORD})|" if most_alone else ""
    alternatives = (
        rf"(?i:https?)://(?:(?!{cut})\S)+",
        rf"@[\w--{cut}]+",
        rf"{_APOSTROPHES}{_CLITICS}",
        rf"(?<=\p{{L}}\p{{M}}*){_RARE_APOSTROPHES}{_CLITICS}",
        r"[0-9#*]\uFE0F?\u20E3",  # keycaps, which are emoji
        rf"(?i:www)\.{word}(?:[-.&]{word})*",
        rf"{word}(?:{joints}{word})*",
        rf"{alone}(?={cut}){unit}",
        r"(?=\S)\X",
    )
    return regex.compile("|".join(alternatives), regex.V1)


def _build_social_joints() -> str:
    """Return what joins words: a hyphen; & between short names; a full stop that ends no sentence.

    A sentence ends where a word of two letters or more meets a capital and a small letter, or a word of three
    letters a single capital (Collins.She, the end.I), where capitals meet (COLLINS.SHE), and beside a letter
    without case, whose scripts know no names such as Node.js. U.S, 3.5, Ph.D, J.Smith and example.com stay whole.
    """
    short = r"(?:[\p{L}\p{N}]{1,2}|\p{Lu}{1,3}\p{N}*)"
    ampersand = rf"(?<=(?<!{_SIGN_OF_WORD}){short})&(?={short}(?!{_SIGN_OF_WORD}))"
    ends = (
        r"(?<=[\p{L}\p{N}]{2})\.(?=\p{Lu}\p{Ll})",
        r"(?<=\p{L}{2}\p{Ll})\.(?=\p{Lu}(?![\p{L}\p{M}\p{N}.]))",
        r"(?<=\p{Lu}{3})\.(?=\p{Lu}{2})",
        r"(?<=\p{Lo}\p{M}*)\.",
        r"\.(?=\p{Lo})",
    )
    return rf"(?:-|{ampersand}|(?!{'|'.join(ends)})\.)"


_NUMBER_JOINT = r"(?<=\p{Nd})\.(?=\p{Nd})"
_PATTERNS: dict[TextRule, "regex.Pattern[str]"] = {
    "social": _build_pattern(_UNSPACED, r"\X", _build_social_joints(), most_alone=3),
    "syllables": _build_pattern(_HANGUL, _SYLLABLE, _NUMBER_JOINT),
    "characters": _build_pattern(_UNCASED, r"\X", _NUMBER_JOINT),
    "whitespace": regex.compile(r"\S+"),
    "graphemes": regex.compile(r"(?=\S)\X"),
}
