CREATE TABLE sign_in_sources (
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  source TEXT NOT NULL,
  used_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, source)
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_sources_by_use ON sign_in_sources (used_at);

-- An IPv4 address is its own network.
INSERT INTO sign_in_sources (user_id, source, used_at)
  SELECT user_id, address, max(last_used_at) FROM sessions WHERE address LIKE '%.%' AND address NOT LIKE '%:%'
  GROUP BY user_id, address;
