-- outside a transaction
-- The updates that are affected when a chat is merged. Most acknowledgements name no chat.
CREATE INDEX CONCURRENTLY IF NOT EXISTS message_updates_of_chat ON message_updates (chat_id) WHERE chat_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS message_updates_by_chat;
