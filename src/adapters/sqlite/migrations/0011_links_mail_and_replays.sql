-- A link ends with the rights of whoever made it and of the owner of its file.
ALTER TABLE file_links ADD COLUMN maker_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file_links ADD COLUMN owner_id INTEGER NOT NULL DEFAULT 0;
UPDATE file_links SET owner_id = (SELECT owner_id FROM files WHERE files.id = file_links.file_id);
UPDATE file_links SET maker_id = owner_id;

CREATE INDEX file_links_by_maker ON file_links (maker_id, expires_at);
CREATE INDEX file_links_by_owner ON file_links (owner_id);

-- When the newest mails of one kind went to one recipient, or are to go.
CREATE TABLE mail_limits (
  recipient TEXT NOT NULL,
  kind TEXT NOT NULL,
  -- A JSON array, oldest first.
  times TEXT NOT NULL,
  newest_at INTEGER NOT NULL,
  PRIMARY KEY (recipient, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX mail_limits_by_newest ON mail_limits (newest_at);

-- The role without which nobody may read the answer. What admins did before may have been to what others own.
ALTER TABLE idempotency ADD COLUMN role TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin'));
UPDATE idempotency SET role = 'admin' WHERE user_id IN (SELECT id FROM users WHERE role = 'admin');
