"""Scores, their significance and reliability, comparisons of rows and seeds, explanations, plots, the report."""
