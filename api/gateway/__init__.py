"""Calls gateways, of which SAK is one; imports nothing else of the API."""
