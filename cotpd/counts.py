"""Counts with their noun, as messages print them."""


def format_count(count: float, singular: str, plural: str = "") -> str:
    """Return a count and its noun: "1 post", "1,200 posts", "0.5 cores".

    Args:
        count: The number of things.
        singular: The noun of one; a verb may follow it ("post has").
        plural: The noun of any other number; the singular with an s unless given.
    """
    number = f"{count:,}".removesuffix(".0")
    return f"{number} {singular if count == 1 else plural or f'{singular}s'}"
