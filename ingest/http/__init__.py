"""Implements the webhook endpoint, and the report of refused webhooks."""
