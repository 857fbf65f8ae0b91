"""Calls SAK, the gateway: registers webhooks, sends messages, asks what became of them."""
