-- The log of changes: written in the transaction of the change, read by realtime and kept as an audit trail.
-- One writer at a time makes the order of cursors the order of commits.
CREATE TABLE events (
  cursor INTEGER PRIMARY KEY AUTOINCREMENT,
  event TEXT NOT NULL,
  item_id INTEGER NOT NULL,
  owner_id INTEGER NOT NULL,
  item TEXT NOT NULL,
  actor_id INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX events_by_owner ON events (owner_id, cursor);
CREATE INDEX events_by_item ON events (item_id, cursor);
CREATE INDEX events_by_created_at ON events (created_at);
