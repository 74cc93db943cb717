"""Tests of the transports, module by module; what both promise is in tests/contracts/test_transport.py."""
