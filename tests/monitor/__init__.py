"""Tests of monitor."""
