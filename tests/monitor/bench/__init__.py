"""Tests of monitor.bench."""
