"""Serves the numbers that an operator needs."""
