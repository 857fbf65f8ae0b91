"""Fills a database with a large, realistic history."""
