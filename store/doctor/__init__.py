"""Checks everything that the history depends on and reports a remedy for each problem."""
