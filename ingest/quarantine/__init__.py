"""Keeps webhooks that no secret of ours signs, until one does."""
