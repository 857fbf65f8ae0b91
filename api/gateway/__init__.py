"""Calls SAK and other gateways; imports nothing else of the api."""
