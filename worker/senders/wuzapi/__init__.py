"""Parses webhooks of wuzapi, which passes on whatsmeow's events in a form or as JSON."""
