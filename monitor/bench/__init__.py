"""`gateway bench`: the gateway against a yardstick of the same run (docs/reference/bench.md)."""
