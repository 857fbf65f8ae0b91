-- Raw events by month, step 2 of 3: every row is held against the bound, beside whoever reads and writes.
ALTER TABLE events VALIDATE CONSTRAINT events_bound;
