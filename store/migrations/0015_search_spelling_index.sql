-- outside a transaction
-- The documents in an old spelling, for the worker that spells them again.
CREATE INDEX CONCURRENTLY IF NOT EXISTS search_index_by_spelling ON search_index (spelling, id);
