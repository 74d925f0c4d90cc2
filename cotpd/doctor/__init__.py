"""Checks for everything that would stop a run of this project on this machine."""
