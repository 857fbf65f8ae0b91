"""Folds the history again from its sources."""
