-- Whoever was forgotten in one session of an account is forgotten in a session that joins later.
-- Messages and raw events up to this id were searched for these people; the greatest number: all were.
ALTER TABLE account_sessions ADD COLUMN erased_upto bigint NOT NULL DEFAULT 0;
