CREATE TABLE sign_in_sources (
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  source text COLLATE "C" NOT NULL,
  used_at bigint NOT NULL,
  PRIMARY KEY (user_id, source)
);

CREATE INDEX sign_in_sources_by_use ON sign_in_sources (used_at);

-- An IPv4 address is its own network.
INSERT INTO sign_in_sources (user_id, source, used_at)
  SELECT user_id, address, max(last_used_at) FROM sessions WHERE address LIKE '%.%' AND address NOT LIKE '%:%'
  GROUP BY user_id, address;
