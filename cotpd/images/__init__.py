"""Pictures into words: one captioner a module; cotpd.images.backends makes the one that the parameters name."""
