"""Measures speed and cost beside the alternatives; checks every promise before it prints a figure."""
