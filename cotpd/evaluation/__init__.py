"""Scores, their significance, the comparison of the three rows, plots and the report."""
