-- All numbers that a session has reported as its own, sorted (store/history/sessions/session_phones.py).
ALTER TABLE sessions ADD COLUMN phones text[] NOT NULL DEFAULT '{}';
UPDATE sessions SET phones = ARRAY[phone] WHERE phone IS NOT NULL;
