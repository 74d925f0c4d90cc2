"""Pictures into words: one captioner a module; captioner_backends makes the one that the parameters name."""
