"""Keeps unverified webhooks, whose signature fits no secret, until a matching secret is added."""
