"""What a worker does between drains."""
