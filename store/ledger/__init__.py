"""Counts every received event exactly once, and finds the lost ones."""
