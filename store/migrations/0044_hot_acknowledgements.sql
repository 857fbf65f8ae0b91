-- outside a transaction
-- Without the status, so that an acknowledgement changes no indexed column and writes to no index (HOT).
-- The last answer in a chat, after which an unanswered customer waits.
CREATE INDEX CONCURRENTLY IF NOT EXISTS whatsapp_messages_outgoing ON whatsapp_messages (chat_id, timestamp)
    WHERE direction = 'outgoing';
DROP INDEX CONCURRENTLY IF EXISTS whatsapp_messages_answers;
