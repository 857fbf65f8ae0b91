"""Reads pages, search results, exports, statistics and changes from the history."""
