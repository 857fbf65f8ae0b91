-- outside a transaction
-- The starred messages, newest first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS whatsapp_messages_starred ON whatsapp_messages (timestamp, id) WHERE starred;
