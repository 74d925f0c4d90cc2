"""Scores, their significance and reliability, the comparison of rows and of seeds, explanations, plots, the report."""
