-- What the client was allowed to when its request was answered, as JSON.
ALTER TABLE answers ADD COLUMN rights TEXT NOT NULL DEFAULT '{"role":"editor"}';
