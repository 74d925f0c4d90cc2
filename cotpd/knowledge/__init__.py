"""Which questions the pipeline asks, and how they are repeated after failed checks."""
