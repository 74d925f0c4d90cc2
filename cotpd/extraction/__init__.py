"""What the language model alone labels: the questions, the reading of its answers, and the rows of a result."""
