-- The runs of a sandbox in a span of time, for the guardrails.
CREATE INDEX runs_created ON runs (created_at);
