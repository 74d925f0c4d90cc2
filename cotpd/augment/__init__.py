"""Further training posts, made by the language model and kept only after checks; see cotpd.augment.pipeline."""
