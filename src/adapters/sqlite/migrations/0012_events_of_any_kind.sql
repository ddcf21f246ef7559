-- The log tells of records of every collection, and of jobs: kind and id name the subject of an event.
DROP INDEX events_by_owner;
DROP INDEX events_by_item;
DROP INDEX events_of_jobs;

ALTER TABLE events RENAME COLUMN item_id TO subject_id;
ALTER TABLE events ADD COLUMN kind TEXT NOT NULL DEFAULT 'items';
UPDATE events SET kind = 'jobs', subject_id = json_extract(data, '$.id') WHERE subject_id IS NULL;

CREATE INDEX events_by_owner ON events (owner_id, kind, cursor) WHERE owner_id IS NOT NULL;
CREATE INDEX events_by_subject ON events (subject_id, kind, cursor);
