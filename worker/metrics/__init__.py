"""The worker's metrics for Prometheus."""
