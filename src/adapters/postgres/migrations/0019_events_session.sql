-- The session in which a change was made; null for older events, and for changes made in the background.
ALTER TABLE events ADD COLUMN session_id bigint;
