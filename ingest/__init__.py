"""Acknowledges SAK's webhooks at once and queues their raw bytes in Redis."""
