-- outside a transaction
-- The queries of the guide's readers. Often the session's own number is unknown.
CREATE INDEX CONCURRENTLY IF NOT EXISTS whatsapp_messages_from ON whatsapp_messages (from_number)
    WHERE from_number IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS whatsapp_messages_to ON whatsapp_messages (to_number)
    WHERE to_number IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS whatsapp_messages_from_number;
DROP INDEX CONCURRENTLY IF EXISTS whatsapp_messages_to_number;
