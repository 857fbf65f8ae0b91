-- outside a transaction
-- The documents with an outdated spelling, which the worker builds again.
CREATE INDEX CONCURRENTLY IF NOT EXISTS search_index_by_spelling ON search_index (spelling, id);
