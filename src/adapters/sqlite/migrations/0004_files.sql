-- No foreign key to users: what a removed user leaves behind is cleaned away by a job, piece by piece.
CREATE TABLE files (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner_id INTEGER NOT NULL,
  filename TEXT NOT NULL,
  content_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  blob_key TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX files_by_created_at ON files (created_at, id);
CREATE INDEX files_by_owner ON files (owner_id, created_at, id);

CREATE TABLE file_links (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  file_id INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  expires_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX file_links_by_file ON file_links (file_id, created_at, id);
CREATE INDEX file_links_by_expiry ON file_links (expires_at);
