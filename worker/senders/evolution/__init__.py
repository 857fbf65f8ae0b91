"""Parses webhooks of Evolution API, which passes on Baileys' objects."""
