"""Posts that are drawn with known figures, so that the right answer is known."""

import numpy as np

from cotpd.monitoring.observations import Observation
from cotpd.monitoring.reference_profile import ReferenceProfile
from cotpd.monitoring.scored_window import Window

TYPES = ("LOC", "ORG", "PER")
MODEL = {"model": "cotpd-ner", "version": "3", "backend": "torch", "task": "ner", "digest": "d"}


def draw_posts(
    count: int,
    seed: int,
    *,
    unseen: float = 0.08,
    sureness: float = 6.0,
    mentions: float = 1.5,
    length: float = 15,
    mix: tuple[float, ...] = (0.3, 0.2, 0.5),
    blank: float = 0.15,
) -> list[Observation]:
    """Draw posts.

    Args:
        count: How many.
        seed: Of the draw.
        unseen: Chance of a word to be unseen.
        sureness: Of the scores: Beta(sureness, 1).
        mentions: Mean number of mentions in a post that has some, beyond the first.
        length: Mean number of words.
        mix: Chance of each type.
        blank: Share of posts without a mention.
    """
    rng = np.random.default_rng(seed)
    posts = []
    for _ in range(count):
        words = 3 + int(rng.poisson(length - 3))
        size = 0 if rng.random() < blank else 1 + int(rng.poisson(mentions - 1))
        counts = rng.multinomial(size, mix)
        types = {name: int(number) for name, number in zip(TYPES, counts, strict=True) if number}
        score = float(rng.beta(sureness, 1, size).min()) if size else None
        posts.append(
            Observation(
                words=words, unseen=int(rng.binomial(8, unseen)) if words >= 8 else None, types=types, score=score
            )
        )
    return posts


def build_profile(posts: list[Observation]) -> ReferenceProfile:
    """Build a profile of posts."""
    return ReferenceProfile(task="ner", model=MODEL, vocabulary=(), observations=tuple(posts))


def build_window(posts: list[Observation], **changes) -> Window:
    """Build a window of posts, scored by the model of the profile."""
    values = {"rows": len(posts), "unreadable": 0, "notes": MODEL} | changes
    return Window(posts, **values)
