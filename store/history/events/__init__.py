"""Records events: their digests, their raw bodies and their facts."""
