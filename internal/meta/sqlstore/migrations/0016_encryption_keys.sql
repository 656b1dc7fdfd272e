-- PGP keys: key pairs of the server, whose private part is sealed, and public keys of customers.
CREATE TABLE encryption_keys (
	id TEXT PRIMARY KEY,
	org TEXT NOT NULL,
	sandbox TEXT NOT NULL,
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	algorithm TEXT NOT NULL,
	public_key TEXT NOT NULL,
	sealed TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	created_by TEXT NOT NULL,
	created_at BIGINT NOT NULL
);
CREATE INDEX encryption_keys_by_sandbox ON encryption_keys (org, sandbox, kind, created_at, id);
-- The keys that an audience, or a submitted one, names.
ALTER TABLE audiences ADD COLUMN public_key_id TEXT NOT NULL DEFAULT '';
ALTER TABLE audiences ADD COLUMN verification_key_id TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN public_key_id TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN verification_key_id TEXT NOT NULL DEFAULT '';
