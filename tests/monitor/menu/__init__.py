"""Tests of monitor.menu."""
