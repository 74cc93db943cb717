"""Tests of bus.ledger."""
