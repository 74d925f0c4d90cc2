"""Several answers to one question, made into the knowledge that a model reads.

Trade-off: the answer that agrees most with the others is as long as any one answer, and what a single draw makes
up drops out (self-consistency). All of them joined say more, and need a longer knowledge view.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import fsum
from typing import Literal

from cotpd.data.records import Kind, Knowledge
from cotpd.knowledge.word_overlap import compute_overlap, count_words


def combine_answers(rows: Iterable[Knowledge], combine: Literal["agreed", "joined"]) -> list[Knowledge]:
    """Return one row for each post and kind, in the order of their first rows.

    Args:
        rows: A row for each answer that passed its checks, those to one question in the order of their draws.
        combine: How several become one.
    """
    by_question: dict[tuple[str, Kind], list[Knowledge]] = {}
    for row in rows:
        by_question.setdefault((row.id, row.kind), []).append(row)
    return [_combine(members, combine) for members in by_question.values()]


def _combine(rows: Sequence[Knowledge], combine: Literal["agreed", "joined"]) -> Knowledge:
    if len(rows) == 1:
        return rows[0]
    texts = tuple(row.text for row in rows)
    text = choose_agreed(texts) if combine == "agreed" else join_distinct(texts)
    return rows[0].model_copy(update={"text": text, "answers": texts})


def choose_agreed(texts: Sequence[str]) -> str:
    """Return the text whose words the others share most; of equal ones the first."""
    bags = [count_words(text) for text in texts]
    agreement = [_sum_overlaps(bag, bags) for bag in bags]  # each counts itself as 1
    return texts[agreement.index(max(agreement))]


def _sum_overlaps(words: Counter[str], bags: Iterable[Counter[str]]) -> float:
    return fsum(compute_overlap(words, bag) for bag in bags)  # in any order the same, so that ties are ties


def join_distinct(texts: Sequence[str]) -> str:
    """Return the texts one after the other, without those that only repeat the words of an earlier one."""
    first_of_words: dict[tuple[str, ...], str] = {}
    for text in texts:
        first_of_words.setdefault(tuple(sorted(count_words(text).elements())), text)
    return " ".join(first_of_words.values())
