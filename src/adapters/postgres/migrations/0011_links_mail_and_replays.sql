-- A link ends with the rights of whoever made it and of the owner of its file.
ALTER TABLE file_links ADD COLUMN maker_id bigint, ADD COLUMN owner_id bigint;
UPDATE file_links SET maker_id = files.owner_id, owner_id = files.owner_id FROM files WHERE files.id = file_links.file_id;

-- The program before this one names neither.
CREATE FUNCTION complete_file_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  SELECT owner_id, owner_id INTO NEW.maker_id, NEW.owner_id FROM files WHERE id = NEW.file_id;
  RETURN NEW;
END
$$;
CREATE TRIGGER complete_file_link BEFORE INSERT ON file_links
  FOR EACH ROW WHEN (NEW.maker_id IS NULL) EXECUTE FUNCTION complete_file_link();

ALTER TABLE file_links ALTER COLUMN maker_id SET NOT NULL, ALTER COLUMN owner_id SET NOT NULL;
CREATE INDEX file_links_by_maker ON file_links (maker_id, expires_at);
CREATE INDEX file_links_by_owner ON file_links (owner_id);

-- When the newest mails of one kind went to one recipient, or are to go.
CREATE TABLE mail_limits (
  recipient text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  -- A JSON array, oldest first.
  times text NOT NULL,
  newest_at bigint NOT NULL,
  PRIMARY KEY (recipient, kind)
);

CREATE INDEX mail_limits_by_newest ON mail_limits (newest_at);

-- The role without which nobody may read the answer. What admins did before may have been to what others own.
ALTER TABLE idempotency ADD COLUMN role text COLLATE "C" NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin'));
UPDATE idempotency SET role = 'admin' WHERE user_id IN (SELECT id FROM users WHERE role = 'admin');
