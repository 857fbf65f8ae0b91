-- outside a transaction
-- The documents with an outdated spelling, which the worker builds again. Most of the time there are none. The
-- condition agrees with spelling.VERSION (store/model/spelling.py).
CREATE INDEX CONCURRENTLY IF NOT EXISTS search_index_before_2 ON search_index (spelling, id) WHERE spelling < 2;
DROP INDEX CONCURRENTLY IF EXISTS search_index_by_spelling;
