"""Parses webhooks of GOWA (go-whatsapp-web-multidevice)."""
