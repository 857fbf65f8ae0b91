"""Records changes in order, for readers and the search index to follow."""
