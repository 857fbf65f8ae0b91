"""A pretend SAK gateway: answers its calls, sends its webhooks, and misbehaves on request."""
