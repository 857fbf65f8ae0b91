"""Sends messages through the gateway and records their outcomes."""
