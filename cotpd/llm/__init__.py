"""Asking a language model, and keeping every answer."""
