"""A client for SAK, the WhatsApp gateway; imports nothing else of the API."""
