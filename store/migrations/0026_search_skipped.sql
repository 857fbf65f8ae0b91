-- Messages that the search index lacks, because their texts were too slow to index or exceed a limit of PostgreSQL.
CREATE TABLE search_skipped (
    id bigint PRIMARY KEY,
    sqlstate text NOT NULL,
    -- The last attempt.
    skipped_at timestamptz NOT NULL DEFAULT now()
);
