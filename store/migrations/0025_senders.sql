-- The sender of an event as `kind:name`, which selects the parser; null for events at /whatsapp-webhook.
ALTER TABLE raw_events ADD COLUMN sender text;
ALTER TABLE parked_events ADD COLUMN sender text;
ALTER TABLE noise_events ADD COLUMN sender text;
