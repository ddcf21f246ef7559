-- The log tells of records of every collection, and of jobs: kind and id name the subject of an event.
ALTER TABLE events ADD COLUMN kind text COLLATE "C", ADD COLUMN subject_id bigint;
UPDATE events SET kind = 'items', subject_id = item_id WHERE item_id IS NOT NULL;
UPDATE events SET kind = 'jobs', subject_id = (data::json ->> 'id')::bigint WHERE item_id IS NULL;

-- The program before this one names an item or nothing; it reads what this program writes about items.
CREATE FUNCTION complete_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.kind IS NULL THEN
    NEW.kind := CASE WHEN NEW.item_id IS NULL THEN 'jobs' ELSE 'items' END;
    NEW.subject_id := coalesce(NEW.item_id, (NEW.data::json ->> 'id')::bigint);
  ELSIF NEW.kind = 'items' THEN
    NEW.item_id := NEW.subject_id;
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER complete_event BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION complete_event();

ALTER TABLE events ALTER COLUMN kind SET NOT NULL, ALTER COLUMN subject_id SET NOT NULL;
DROP INDEX events_by_owner;
DROP INDEX events_by_item;
DROP INDEX events_of_jobs;
CREATE INDEX events_by_owner ON events (owner_id, kind, position) WHERE position IS NOT NULL AND owner_id IS NOT NULL;
CREATE INDEX events_by_subject ON events (subject_id, kind, position) WHERE position IS NOT NULL;
