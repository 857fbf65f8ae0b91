"""Runs the worker's duties between drains: erasures, redrives, pruning, partitions, monitoring."""
