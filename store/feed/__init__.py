"""Records changes in order, so that readers and the search index can follow them."""
