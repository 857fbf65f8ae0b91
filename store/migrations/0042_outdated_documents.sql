-- outside a transaction
-- The documents in an old spelling, for the worker that spells them again. Most of the time there are none. The
-- condition is that of spelling.VERSION (store/model/spelling.py).
CREATE INDEX CONCURRENTLY IF NOT EXISTS search_index_before_2 ON search_index (spelling, id) WHERE spelling < 2;
DROP INDEX CONCURRENTLY IF EXISTS search_index_by_spelling;
