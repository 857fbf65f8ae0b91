"""Implements the parts of a benchmark: `run(servers, scale)` of each module returns the measured tables."""
