"""Records the messages that we send."""
