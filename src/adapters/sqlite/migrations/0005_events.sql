-- The log of changes: written in the transaction of the change, read by realtime and kept as an audit trail.
-- One writer at a time makes the order of cursors the order of commits.
CREATE TABLE events (
  cursor INTEGER PRIMARY KEY AUTOINCREMENT,
  event TEXT NOT NULL,
  -- Null for what became of a job, as are owner, actor and request.
  item_id INTEGER,
  owner_id INTEGER,
  data TEXT NOT NULL,
  actor_id INTEGER,
  request_id TEXT,
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX events_by_owner ON events (owner_id, cursor) WHERE owner_id IS NOT NULL;
CREATE INDEX events_by_item ON events (item_id, cursor) WHERE item_id IS NOT NULL;
CREATE INDEX events_of_jobs ON events (cursor) WHERE item_id IS NULL;
CREATE INDEX events_by_created_at ON events (created_at);
