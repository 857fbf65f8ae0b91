"""Serves pages, search results and numbers from the history."""
