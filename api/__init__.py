"""Serves stored conversations over HTTP, and sends messages through gateways."""
