-- outside a transaction
-- The names with an outdated spelling, which the worker normalises again.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_names_by_spelling ON chat_names (spelling, chat_id);
-- The normalised names, for searching chats.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_names_by_text ON chat_names USING gin (text gin_trgm_ops);
