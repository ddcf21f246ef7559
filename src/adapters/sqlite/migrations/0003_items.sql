CREATE TABLE idempotency (
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  route TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  answer TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, route, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_created_at ON idempotency (created_at);

-- No foreign key to users: what a removed user leaves behind is cleaned away by a job, piece by piece.
CREATE TABLE items (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner_id INTEGER NOT NULL,
  title TEXT NOT NULL,
  description TEXT,
  data TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX items_by_created_at ON items (created_at, id);
CREATE INDEX items_by_updated_at ON items (updated_at, id);
CREATE INDEX items_by_title ON items (title, id);
CREATE INDEX items_by_owner_created_at ON items (owner_id, created_at, id);
CREATE INDEX items_by_owner_updated_at ON items (owner_id, updated_at, id);
CREATE INDEX items_by_owner_title ON items (owner_id, title, id);

-- rowid is the item's id. The owner is a word too, so that one index answers for one owner.
CREATE VIRTUAL TABLE items_text USING fts5 (
  title, description, owner,
  content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
