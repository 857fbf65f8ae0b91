"""Speaks HTTP: bounded connections and the webhook endpoint."""
