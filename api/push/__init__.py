"""Web Push: notifications of new messages to devices on which no page of the dashboard is open."""
