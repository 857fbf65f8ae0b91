"""Records what changed, in order, for readers and the search index to follow."""
