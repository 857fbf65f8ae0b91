"""Facts, batches, addresses and timestamps; imports nothing of ours."""
