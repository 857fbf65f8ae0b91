"""Checks everything that the history depends on, and names a remedy for each problem."""
