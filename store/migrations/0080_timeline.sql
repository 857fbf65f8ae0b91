-- The timeline of PostgreSQL's that the epoch belongs to: a promotion begins another, and with it another epoch.

ALTER TABLE epoch ADD COLUMN timeline text;
