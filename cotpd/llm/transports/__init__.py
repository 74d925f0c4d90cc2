"""Transports: they carry requests to a server, one by one over HTTP or in batch jobs."""
