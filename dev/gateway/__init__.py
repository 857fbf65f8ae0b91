"""Simulates a SAK gateway: answers calls, sends webhooks, and misbehaves on request."""
