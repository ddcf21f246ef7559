-- Deletions that reach more records than one transaction changes.
CREATE TABLE deletions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  -- What is deleted: a collection or `files`, and the id in it.
  target TEXT NOT NULL,
  target_id INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('marking', 'done', 'abandoned')),
  -- A deletion that is still marking records at this time has lost its process.
  lease_until INTEGER NOT NULL,
  -- How many records are deleted, by the ids of their collections.
  reached TEXT NOT NULL,
  -- The fields in which references are cleared, by the ids of their collections.
  cleared TEXT NOT NULL,
  actor_id INTEGER,
  request_id TEXT,
  session_id INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX deletions_by_target ON deletions (target, target_id);

-- The deletion that has marked a record. It is to be deleted if it has a level, the number of references that lead from
-- it to what was deleted. Otherwise `cleared` has its fields without their references to what is deleted.
ALTER TABLE records ADD COLUMN deletion_id INTEGER;
ALTER TABLE records ADD COLUMN deletion_level INTEGER;
ALTER TABLE records ADD COLUMN cleared TEXT;
CREATE INDEX records_marked ON records (deletion_id, collection_id, deletion_level, id) WHERE deletion_id IS NOT NULL;

-- The deletions that have taken effect, and have records that are not removed yet.
ALTER TABLE collections ADD COLUMN deletions TEXT NOT NULL DEFAULT '{"count":0,"unfinished":[],"clearedFields":[]}';
