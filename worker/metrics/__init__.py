"""Defines the worker's metrics for Prometheus."""
