-- outside a transaction
-- The names in an old spelling, for the worker that spells them again.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_names_by_spelling ON chat_names (spelling, chat_id);
-- The spelled names, for the search among chats.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_names_by_text ON chat_names USING gin (text gin_trgm_ops);
