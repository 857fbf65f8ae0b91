"""Records sessions, the accounts that they share, and their outages."""
