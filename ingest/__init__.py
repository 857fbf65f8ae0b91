"""Verifies webhooks, stores their raw bodies durably in Redis or on disk, and acknowledges them."""
