-- What each user has stored, in bytes. Kept by the program in the transaction of each change; see adapters/sql/usage.ts
-- for what counts how much. No foreign key to users: it is cleaned away with what it counts.
CREATE TABLE usage (
  user_id INTEGER PRIMARY KEY,
  bytes INTEGER NOT NULL
) STRICT;

INSERT INTO usage (user_id, bytes)
SELECT user_id, sum(bytes) FROM (
  SELECT owner_id AS user_id,
    512 + 2 * (octet_length(title) + coalesce(octet_length(description), 0) + octet_length(data)) AS bytes FROM items
  UNION ALL
  SELECT owner_id, 128 + octet_length(data) FROM events WHERE owner_id IS NOT NULL
  UNION ALL
  SELECT user_id, 256 + octet_length(key) + octet_length(answer) FROM idempotency
  UNION ALL
  SELECT owner_id, 512 + size FROM files
) WHERE user_id IN (SELECT id FROM users) GROUP BY user_id;

-- Without the foreign key to users that it had: with an account thousands of records would go in one transaction. They
-- are cleaned away by a job, piece by piece.
CREATE TABLE idempotency_without_key (
  user_id INTEGER NOT NULL,
  route TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  answer TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, route, key)
) STRICT, WITHOUT ROWID;
INSERT INTO idempotency_without_key SELECT user_id, route, key, fingerprint, answer, created_at FROM idempotency;
DROP TABLE idempotency;
ALTER TABLE idempotency_without_key RENAME TO idempotency;
CREATE INDEX idempotency_by_created_at ON idempotency (created_at);
