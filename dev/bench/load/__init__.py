"""Sends webhooks at a given rate, and measures the responses."""
