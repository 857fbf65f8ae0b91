"""Sends messages through the gateway and records what became of them."""
