"""Measures speed and cost against what somebody would run instead; checks every promise before it prints a figure."""
