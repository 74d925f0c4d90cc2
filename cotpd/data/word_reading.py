"""Read a data set's files by the rule that makes words of its text, which may take a first reading to know."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from cotpd.data.readers.file_format import STEP
from cotpd.data.records import Post, Quarantined, Splits, TextRule, WordSetting, WordSplitting
from cotpd.data.tokenization import FINEST
from cotpd.data.word_choice import WordChoice, choose_words
from cotpd.data.words import split_post_anew

ReaderCounts = dict[str, Counter[str]]
_NAMED_RULES: dict[WordSetting, TextRule] = {
    "social": "social",
    "syllables": "syllables",
    "characters": "characters",
    "whitespace": "whitespace",
}


class Reading(NamedTuple):
    """The files as they were read: posts by split, refused rows, and the reader's counts by split."""

    posts: Splits
    quarantine: list[Quarantined]
    reader_counts: ReaderCounts


def read_in_words(
    read: Callable[[TextRule], Reading], setting: WordSetting, words: WordSplitting | None = None
) -> tuple[Reading, WordChoice]:
    """Read the files by the rule that is asked for, or that fits them best.

    Mentions that the first rule cannot represent cost their rows, so a second reading by graphemes counts what
    other rules would represent. Without refused rows there is nothing more to count.

    Args:
        read: Reads all files by a rule.
        setting: The value of data.words.
        words: The splitting to use whatever is asked for; the choice is then only described.
    """
    rule = _NAMED_RULES.get(setting, "social")
    rule = words.text_rule if words else rule
    reading = read(rule)
    probed_by = FINEST if reading.quarantine else rule
    probe = read(FINEST) if reading.quarantine else reading
    choice = choose_words(setting, probe.posts, probed_by)
    if words is not None:
        return reading, replace(choice, words=words)
    return (reading if choice.words.text_rule == rule else read(choice.words.text_rule)), choice


def split_posts_anew(posts: Splits, setting: WordSetting | None) -> tuple[Splits, list[Quarantined]]:
    """Split posts that brought words along by the rule that the user names; refuse those whose mentions it cuts.

    Where no rule is named the posts stay as they are.
    """
    rule = None if setting is None else _NAMED_RULES.get(setting)
    if rule is None:
        return posts, []
    changed: Splits = {}
    refused = []
    for split, rows in posts.items():
        pairs = [(post, split_post_anew(post, rule)) for post in rows]
        changed[split] = [new for _, new in pairs if new is not None]
        refused += [_refuse_post(post, rule) for post, new in pairs if new is None]
    return changed, refused


def _refuse_post(post: Post, rule: TextRule) -> Quarantined:
    return Quarantined(
        id=post.id,
        step=STEP,
        reason=f"the rule {rule} makes no word border where a mention of the post's own words begins or ends",
        remedy="Set data.words: auto, which keeps the words that come with the data.",
        file=post.file,
        line=post.line,
    )
