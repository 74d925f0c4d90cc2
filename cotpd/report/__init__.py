"""The report of a run and of a study: one self-contained page, and tables in Markdown."""
