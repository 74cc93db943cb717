"""Documentation is tested like code: what it names exists, and what exists is named."""
