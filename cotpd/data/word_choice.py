"""Choose the rule by which a data set's text becomes words: by its script, and by the gold mentions of each rule.

Trade-off: a finer rule represents more mentions, and gives the student more and smaller words to label. So the
usual rule of a script stays unless a finer one represents at least one mention in a hundred more.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import regex

from cotpd.counts import format_count
from cotpd.data.records import Post, Span, Splits, TextRule, WordRule, WordSetting, WordSplitting, iterate_posts
from cotpd.data.tokenization import IDEOGRAPHIC, SYLLABIC, TEXT_RULES, join_tokens, tokenize

MOST_POSTS = 20_000  # that are looked at: a larger data set is like its first posts
_FOLLOWED = 0.9  # of the data's own words that a rule makes, so that students may read text by it
_MARGIN = 0.01  # shares that are nearer are alike
_UNSPACED_SHARE = 0.3  # of the letters, from which a script without blanks decides
_UNSPACED_RULES: dict[str, tuple[TextRule, ...]] = {
    "syllabic": ("syllables", "characters", "social"),
    "ideographic": ("characters", "social", "syllables"),
}
_LETTER = regex.compile(r"\p{L}")
_OUTSIDE_LATIN = regex.compile(r"[\p{L}--\p{Latin}]", regex.V1)
_CLASSES = {"ideographic": regex.compile(IDEOGRAPHIC, regex.V1), "syllabic": regex.compile(SYLLABIC, regex.V1)}
_NATURAL = regex.compile(
    rf"(?<=[{IDEOGRAPHIC}{SYLLABIC}]) (?=[{IDEOGRAPHIC}{SYLLABIC}])| (?=\p{{Term}})", regex.V1
)


class Script(NamedTuple):
    """The rules that suit the letters of a data set, in the order of preference, and why the first is first."""

    rules: tuple[TextRule, ...]
    reason: str


@dataclass(frozen=True)
class WordChoice:
    """The chosen rule, and what speaks for it.

    Attributes:
        words: What students carry.
        reason: A clause for people.
        mentions: Gold mentions that were looked at.
        representable: How many of them begin and end with a word, by rule.
    """

    words: WordSplitting
    reason: str
    mentions: int
    representable: Mapping[WordRule, int]

    def describe(self, setting: WordSetting) -> dict[str, Any]:
        """Return everything as a JSON value."""
        counts = {"mentions": self.mentions, "representable": dict(self.representable)}
        return {"setting": setting, **self.words.model_dump(), "reason": self.reason, **counts}


def choose_words(setting: WordSetting, posts: Splits, read_by: TextRule) -> WordChoice:
    """Choose the rule of a data set.

    Args:
        setting: auto, or the rule that the user names.
        posts: The posts, with every mention that any rule could represent.
        read_by: The rule by which their text was split; posts with other words brought these along.
    """
    looked_at = list(islice(iterate_posts(posts), MOST_POSTS))
    agreement = _measure_agreement(looked_at, read_by)
    counts = count_representable(looked_at)
    mentions = sum(len(post.entities) for post in looked_at)
    script = _judge_script(post.text for post in looked_at)
    nearest = _choose_text_rule(script, counts, mentions, agreement)
    has_words = bool(agreement)
    share = round(agreement[nearest], 4) if has_words else 1.0
    representable: dict[WordRule, int] = dict(counts.items())
    if has_words:
        representable["given"] = mentions

    if setting == "given" or (setting == "auto" and share < _FOLLOWED):
        reason = f"the words come with the data, and {nearest} makes {share:.0%} of them"
        words = WordSplitting(rule="given", text_rule=nearest, agreement=share)
    elif setting != "auto":
        words, reason = WordSplitting(rule=setting, text_rule=setting), "data.words names it"
    else:
        words = WordSplitting(rule=nearest, text_rule=nearest, agreement=share)
        reason = _explain(nearest, script, counts, mentions, share if has_words else None)
    return WordChoice(words, reason, mentions, representable)


def measure_share_outside_latin(posts: Iterable[Post]) -> float:
    """Return the share of the letters that are of another script than Latin."""
    letters = outside = 0
    for post in islice(posts, MOST_POSTS):
        letters += len(_LETTER.findall(post.text))
        outside += len(_OUTSIDE_LATIN.findall(post.text))
    return outside / letters if letters else 0.0


def find_text_rule(posts: Sequence[Post]) -> TextRule:
    """Return the rule that auto chooses for posts whose words are not written beside their texts."""
    looked_at = posts[:MOST_POSTS]
    mentions = sum(len(post.entities) for post in looked_at)
    return _choose_text_rule(
        _judge_script(post.text for post in looked_at), count_representable(looked_at), mentions, {}
    )


def count_representable(posts: Iterable[Post]) -> dict[TextRule, int]:
    """Count, for each rule, the mentions that begin and end with one of its words."""
    counts = dict.fromkeys(TEXT_RULES, 0)
    for post in posts:
        spans = [(post.offsets[entity.start][0], post.offsets[entity.end - 1][1]) for entity in post.entities]
        for rule in TEXT_RULES if spans else ():
            tokens = tokenize(post.text, rule)
            starts, ends = {token.start for token in tokens}, {token.end for token in tokens}
            counts[rule] += sum(start in starts and end in ends for start, end in spans)
    return counts


def _measure_agreement(posts: Sequence[Post], read_by: TextRule) -> dict[TextRule, float]:
    """Return the share of all words that each rule makes as well; empty if no post brought words along."""
    total, counts = 0, Counter[TextRule]()
    has_words = False
    for post in posts:
        total += len(post.tokens)
        text, offsets = _write_naturally(post)
        spans = _list_spans(text, read_by)
        if spans == offsets:
            counts.update(dict.fromkeys(TEXT_RULES, len(offsets)))
            continue
        has_words = True
        for rule in TEXT_RULES:
            counts[rule] += len(set(_list_spans(text, rule)).intersection(offsets))
    return {rule: counts[rule] / total for rule in TEXT_RULES} if has_words else {}


def _list_spans(text: str, rule: TextRule) -> list[Span]:
    return [(token.start, token.end) for token in tokenize(text, rule)]


def _write_naturally(post: Post) -> tuple[str, list[Span]]:
    """Return text and words as a client would write them.

    Words without text are joined by blanks, which no client writes between Han or Thai letters, or in front of a
    full stop; with them, splitting at blanks would always seem right.
    """
    text, offsets = join_tokens(post.tokens)
    if text != post.text:
        return post.text, list(post.offsets)
    dropped = [match.start() for match in _NATURAL.finditer(text)]
    shifted, count = [], 0
    for start, end in offsets:
        while count < len(dropped) and dropped[count] < start:
            count += 1
        shifted.append((start - count, end - count))
    return _NATURAL.sub("", text), shifted


def _judge_script(texts: Iterable[str]) -> Script:
    """Return the order of rules for a script, and the clause that explains its first one."""
    letters, unspaced = 0, {name: Counter[str]() for name in _CLASSES}
    for text in texts:
        letters += len(_LETTER.findall(text))
        for name, pattern in _CLASSES.items():
            unspaced[name].update(pattern.findall(text))
    for name, rules in _UNSPACED_RULES.items():
        if unspaced[name].total() > _UNSPACED_SHARE * letters:
            return Script(rules, f"{_name_script(unspaced[name])} is written without blanks")
    return Script(("social", "syllables", "characters"), "")


def _name_script(signs: Counter[str]) -> str:
    """Return the name of the script of most of some letters."""
    scripts: Counter[str] = Counter()
    for sign, count in signs.items():
        scripts[unicodedata.name(sign, "?").split()[0]] += count
    name = scripts.most_common(1)[0][0]
    return "Han" if name == "CJK" else name.capitalize()


def _choose_text_rule(
    script: Script, counts: Mapping[TextRule, int], mentions: int, agreement: Mapping[TextRule, float]
) -> TextRule:
    """Return the rule for text: of those that make most of the data's own words, the script's or a better one."""
    shares = agreement or dict.fromkeys(TEXT_RULES, 1.0)
    most = max(shares[rule] for rule in script.rules)
    if shares["whitespace"] > most + _MARGIN:
        return "whitespace"
    usual, *finer = (rule for rule in script.rules if shares[rule] >= most - _MARGIN)
    best = max([usual, *finer], key=lambda rule: counts[rule])
    gain = counts[best] - counts[usual]
    return best if gain and gain >= _MARGIN * mentions else usual


def _explain(
    rule: TextRule, script: Script, counts: Mapping[TextRule, int], mentions: int, share: float | None
) -> str:
    """Return the clause that says why ``auto`` chose a rule."""
    usual = script.rules[0]
    clauses = [script.reason] if script.reason and rule == usual else []
    if share is not None:
        clauses.append(f"it makes {share:.0%} of the words that come with the data")
    clauses.append(f"it represents {counts[rule]:,} of {format_count(mentions, 'mention')}")
    if rule != usual:
        clauses[-1] += f", {usual} {counts[usual]:,}"
    return "; ".join(clauses)
