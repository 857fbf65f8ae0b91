-- A person who was erased from one session of an account is also erased from a session that joins later. Messages and
-- raw events up to this id have been searched for these people; the greatest number: all of them.
ALTER TABLE account_sessions ADD COLUMN erased_upto bigint NOT NULL DEFAULT 0;
