"""Parses webhooks of OpenWA."""
