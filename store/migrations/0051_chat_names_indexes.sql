-- outside a transaction
-- The triggers of 0050 keep the table from its first moment, so that writers need not wait for these.
CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_names_by_name ON chat_names USING gin (name gin_trgm_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_names_by_address ON chat_names USING gin (address gin_trgm_ops);
