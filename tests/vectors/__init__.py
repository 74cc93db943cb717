"""Test vectors and the scripts that made them."""
