-- outside a transaction
-- LIDs that claim one phone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS lid_aliases_by_phone ON lid_aliases (session_id, phone);
-- The updates by a person whose addresses are merged.
CREATE INDEX CONCURRENTLY IF NOT EXISTS message_updates_by_sender ON message_updates (sender) WHERE sender IS NOT NULL;
