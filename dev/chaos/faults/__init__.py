"""Implements the faults that a campaign injects."""
