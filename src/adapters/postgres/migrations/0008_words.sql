-- Of which version of the item the words are; null for those of an older program, which folded them otherwise. A running
-- server makes them anew in the background.
ALTER TABLE items ADD COLUMN words_version integer;
CREATE INDEX items_unindexed ON items (id) WHERE words_version IS DISTINCT FROM version;
