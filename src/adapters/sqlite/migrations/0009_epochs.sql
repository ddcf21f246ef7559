-- The lives of this data, oldest first. An embedded server begins one at each start.
CREATE TABLE epochs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  -- The first event that can belong to it.
  first_cursor INTEGER NOT NULL,
  nonce TEXT NOT NULL UNIQUE,
  -- The database it began in, where several servers may share one; null here.
  origin TEXT
) STRICT;

-- The nonce of the epoch in which this version was written. '0': before there were epochs.
ALTER TABLE items ADD COLUMN epoch TEXT NOT NULL DEFAULT '0';
