-- Whether look-ups leave the values of an audience's rows out.
ALTER TABLE audiences ADD COLUMN no_payload BOOLEAN NOT NULL DEFAULT FALSE;
