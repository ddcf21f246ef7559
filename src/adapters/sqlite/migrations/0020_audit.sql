-- What happened, except changes of records, which are in the log of changes.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  created_at INTEGER NOT NULL,
  actor_id INTEGER,
  action TEXT NOT NULL,
  subject TEXT,
  address TEXT,
  session_id INTEGER,
  request_id TEXT,
  details TEXT NOT NULL,
  -- Of what is counted in one entry.
  repeat_key TEXT,
  count INTEGER NOT NULL DEFAULT 1,
  last_at INTEGER NOT NULL
) STRICT;

CREATE INDEX audit_by_actor ON audit (actor_id, id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_by_subject ON audit (subject, id) WHERE subject IS NOT NULL;
CREATE INDEX audit_by_action ON audit (action, id);
CREATE UNIQUE INDEX audit_by_repeat_key ON audit (repeat_key) WHERE repeat_key IS NOT NULL;
