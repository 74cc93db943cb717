"""The unified exchange schema, its validator, rules and data dictionary."""
