"""Tests of xsd."""
