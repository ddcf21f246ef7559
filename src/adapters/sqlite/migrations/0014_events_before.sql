-- The record before the change, for events of collections defined at run time.
ALTER TABLE events ADD COLUMN previous TEXT;
