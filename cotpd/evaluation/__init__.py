"""Scores, their significance and reliability, comparisons of rows and of seeds, explanations, plots, the report."""
