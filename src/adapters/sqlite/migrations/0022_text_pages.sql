-- For every 64 pages that FTS5 has written, the commit merges 64 pages of each level: 50 ms and more with pages of 4,050
-- bytes, which is what they have otherwise.
INSERT INTO items_words (items_words, rank) VALUES ('pgsz', 1000);
INSERT INTO records_words (records_words, rank) VALUES ('pgsz', 1000);
