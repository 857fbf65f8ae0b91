"""Spells texts and names for searching, and keeps the search index in step with the change feed."""
