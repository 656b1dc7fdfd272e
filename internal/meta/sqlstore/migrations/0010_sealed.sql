-- The secrets of a connection, sealed by the program; params holds the others.
ALTER TABLE connections ADD COLUMN sealed TEXT NOT NULL DEFAULT '';
