"""Stores batches on this machine's disk while Redis does not confirm them."""
