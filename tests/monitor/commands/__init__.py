"""Tests of monitor.commands."""
