"""Notifies devices of new messages by Web Push if no page of the dashboard is open on them."""
