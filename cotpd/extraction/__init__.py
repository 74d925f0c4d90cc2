"""Labels by the language model alone: the questions, the reading of its answers, and the rows of a result."""
