"""Further training posts, made by the language model and believed only after checks: see :func:`augment`."""

from cotpd.augment.pipeline import augment

__all__ = ["augment"]
