"""Kernel and Message Bus: values, ports, ledger, relay and the core's consumer. Imports no sibling package."""
