-- Archives of the whole installation, and attempts to write one.
CREATE TABLE backups (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
  -- Null if it was written elsewhere, or not at all.
  name TEXT,
  size INTEGER,
  sha256 TEXT,
  encrypted INTEGER NOT NULL CHECK (encrypted IN (0, 1)),
  detail TEXT,
  created_at INTEGER NOT NULL,
  finished_at INTEGER,
  verified_at INTEGER,
  -- While it is running, no bytes of files are removed until then.
  lease_until INTEGER NOT NULL
) STRICT;

CREATE INDEX backups_by_created_at ON backups (created_at, id);
CREATE INDEX backups_running ON backups (lease_until) WHERE state = 'running';
