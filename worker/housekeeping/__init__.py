"""The worker's duties between drains: erasures, redrives, pruning, partitions, monitoring."""
