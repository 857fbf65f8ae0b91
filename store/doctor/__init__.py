"""Looks at everything that keeps the history from being true, and says what to do."""
