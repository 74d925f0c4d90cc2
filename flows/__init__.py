"""Prefect flows: the same pipeline as `dvc repro`, scheduled, observed and spread over workers."""

from cotpd.environment import quiet

quiet()
