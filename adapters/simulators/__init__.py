"""Simulators: they speak exactly a platform's interface, faults included, from a seed."""
