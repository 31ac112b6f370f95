"""Numbers derived from the ledger: pure functions, no I/O."""
