-- Work that a process is doing, a task or a run, and how often a process ended by a fault of its own meanwhile.
CREATE TABLE attempts (
    id     TEXT PRIMARY KEY,
    worker TEXT NOT NULL, -- who is doing it; empty when nobody is
    deaths BIGINT NOT NULL,
    cause  TEXT NOT NULL, -- of the last one
    files  TEXT NOT NULL  -- that were being read then
);
