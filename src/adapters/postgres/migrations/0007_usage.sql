-- What each user has stored, in bytes. Kept by the program in the transaction of each change; see adapters/sql/usage.ts
-- for what counts how much. No foreign key to users: it is cleaned away with what it counts.
CREATE TABLE usage (
  user_id bigint PRIMARY KEY,
  bytes bigint NOT NULL
);

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
) counted WHERE user_id IN (SELECT id FROM users) GROUP BY user_id;

-- Adds to what a user has stored, or takes off, as the last statement before the commit: whoever changes the same row
-- waits for that and no longer. With a quota, what would exceed it fails with SQLSTATE SK507.
CREATE FUNCTION count_usage(counted bigint, change bigint, quota bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  total bigint;
BEGIN
  -- What is left of a user who was removed is counted no more.
  IF change < 0 THEN
    UPDATE usage SET bytes = bytes + change WHERE user_id = counted;
    RETURN;
  END IF;
  INSERT INTO usage (user_id, bytes) VALUES (counted, change)
    ON CONFLICT (user_id) DO UPDATE SET bytes = usage.bytes + excluded.bytes RETURNING bytes INTO total;
  IF total > quota THEN
    RAISE EXCEPTION 'the quota is exceeded' USING ERRCODE = 'SK507';
  END IF;
END
$$;

-- With an account thousands of records would go in one transaction. They are cleaned away by a job, piece by piece.
ALTER TABLE idempotency DROP CONSTRAINT idempotency_user_id_fkey;
