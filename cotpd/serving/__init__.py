"""Serving a student over HTTP: micro-batches, an alias that is followed, limits, metrics and a page to try it."""
