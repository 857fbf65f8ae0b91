"""Simulates gateways of every kind except SAK."""
