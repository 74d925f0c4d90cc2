"""Batch scoring: a file of posts in, the same rows with predictions out, resumed after a kill."""
