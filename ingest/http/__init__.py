"""The webhook endpoint, and the report of what it refused."""
