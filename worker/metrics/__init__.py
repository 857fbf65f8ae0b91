"""What a worker counts, for Prometheus."""
