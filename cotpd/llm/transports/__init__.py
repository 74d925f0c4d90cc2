"""How requests reach a server: one by one over HTTP, or in batch jobs."""
