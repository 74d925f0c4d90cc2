"""Where answers are kept: the ledger, its tables and its recordings."""
