-- Collections defined at run time share these tables, so that defining one, or another index, changes no schema.
CREATE TABLE collections (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  -- Null once it is deleted, until its records are removed.
  name TEXT UNIQUE,
  definition TEXT NOT NULL,
  version INTEGER NOT NULL,
  epoch TEXT NOT NULL,
  shape INTEGER NOT NULL,
  -- The last shape ever given: records may still have the form of an abandoned definition.
  last_shape INTEGER NOT NULL,
  indexes TEXT NOT NULL,
  pending TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- Another random number after each change of a definition.
CREATE TABLE collection_changes (id INTEGER PRIMARY KEY CHECK (id = 0), nonce INTEGER NOT NULL) STRICT;
INSERT INTO collection_changes VALUES (0, 0);

-- Gives indexes their ids. Without a collection, its entries are to be removed.
CREATE TABLE record_indexes (id INTEGER PRIMARY KEY AUTOINCREMENT, collection_id INTEGER) STRICT;
CREATE INDEX record_indexes_unused ON record_indexes (collection_id) WHERE collection_id IS NULL;

CREATE TABLE records (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  collection_id INTEGER NOT NULL,
  owner_id INTEGER,
  version INTEGER NOT NULL,
  epoch TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  -- What it counts towards the quota of its owner.
  bytes INTEGER NOT NULL,
  shape INTEGER NOT NULL,
  -- `next` is shown instead of `data` if its shape is that of the collection.
  next_shape INTEGER,
  data TEXT NOT NULL,
  next TEXT
) STRICT;

-- Every index ends with the id.
CREATE INDEX records_by_id ON records (collection_id);
CREATE INDEX records_by_created_at ON records (collection_id, created_at);
CREATE INDEX records_by_updated_at ON records (collection_id, updated_at);
CREATE INDEX records_by_owner_created_at ON records (collection_id, owner_id, created_at);
CREATE INDEX records_by_owner_updated_at ON records (collection_id, owner_id, updated_at);

-- The entries of all indexes (adapters/sql/record-keys.ts). One writer at a time looks for equal unique keys before it
-- adds one.
CREATE TABLE record_keys (
  index_id INTEGER NOT NULL,
  key BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  record_id INTEGER NOT NULL,
  is_unique INTEGER NOT NULL,
  PRIMARY KEY (index_id, key, created_at, record_id)
) STRICT, WITHOUT ROWID;

-- The number of records, by the name of a collection defined in code or the id of another.
CREATE TABLE record_counts (
  storage TEXT NOT NULL,
  slot INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (storage, slot)
) STRICT, WITHOUT ROWID;
INSERT INTO record_counts SELECT 'items', 0, count(*) FROM items;

-- As those of items in migration 0008, with the collection as a word too.
CREATE VIRTUAL TABLE records_words USING fts5 (
  words,
  content = '', contentless_delete = 1, detail = none, prefix = '2 3 4 6', tokenize = "ascii tokenchars '@'"
);
CREATE TABLE records_unindexed (id INTEGER PRIMARY KEY) STRICT;
