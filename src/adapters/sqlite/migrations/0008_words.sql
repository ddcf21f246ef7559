DROP TABLE items_text;

-- Words as domain/words.ts folds them, in an order in which the newest item comes first: rowid is the id, negated. The
-- tokenizer only splits at spaces; the first characters of words have lists of their own (adapters/sql/terms.ts).
CREATE VIRTUAL TABLE items_words USING fts5 (
  words,
  content = '', contentless_delete = 1, detail = none, prefix = '2 3 4 6', tokenize = "ascii tokenchars '@'"
);

-- Items whose words are not in the index yet. The server works it off, newest first.
CREATE TABLE items_unindexed (id INTEGER PRIMARY KEY) STRICT;
INSERT INTO items_unindexed SELECT id FROM items;
