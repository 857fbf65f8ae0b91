-- Redrives: what somebody asked to have tried again of what is parked. The API writes them down; a worker, which has the
-- parser, does them (worker/housekeeping/redrives.py).

CREATE TABLE redrives (
    redrive_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Who asked, and which sessions the token may see; null: all of them.
    caller text NOT NULL,
    sessions text[],
    -- What was chosen; null: whatever was parked then.
    digests bytea[],
    reason text,
    -- The same choice, asked for again while it is open, is the same redrive.
    fingerprint bytea NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    -- How often a worker took it up: one that dies of it every time is given up.
    attempts integer NOT NULL DEFAULT 0,
    began_at timestamptz,
    finished_at timestamptz,
    -- How many events it is about, and how many of them are still parked.
    chosen bigint,
    still_parked bigint,
    failure text
);
CREATE UNIQUE INDEX redrives_open ON redrives (fingerprint) WHERE finished_at IS NULL;
