"""Which questions the pipeline asks: built, counted before they are paid for, and repeated after failed checks."""
