"""How many words two texts share: the F1 of their bags of words. A paraphrase shares few."""

import re
from collections import Counter


def count_words(text: str) -> Counter[str]:
    """Return a text's words in lower case, with their numbers."""
    return Counter(re.findall(r"\w+", text.casefold()))


def compute_overlap(left: Counter[str], right: Counter[str]) -> float:
    """Return the F1 of two bags of words; 1 for two empty ones."""
    total = left.total() + right.total()
    return 2 * (left & right).total() / total if total else 1.0
