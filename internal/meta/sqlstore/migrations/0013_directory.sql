-- The data directory that everything beside the database lies in.
CREATE TABLE data_directory (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  TEXT NOT NULL
);
