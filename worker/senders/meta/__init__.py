"""Parses webhooks of Meta's WhatsApp Business Platform (Cloud API)."""
