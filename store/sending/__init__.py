"""Records messages that the API sends."""
