"""The ledger: what was read, what goes out, and how far it has come; all SQL of the kernel is here."""
