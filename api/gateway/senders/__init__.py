"""Calls the gateways of `senders.toml`."""
