"""Creates, limits and revokes tokens, and shows the audit log, for admins."""
