-- Answers of requests that carried an Idempotency-Key. A status of 0 is a request that has not been answered.
CREATE TABLE answers (
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  client_id TEXT NOT NULL,
  request_key TEXT NOT NULL,
  request TEXT NOT NULL,
  status BIGINT NOT NULL,
  body TEXT NOT NULL,
  begun_at BIGINT NOT NULL,
  PRIMARY KEY (org, sandbox, client_id, request_key)
);
CREATE INDEX answers_begun ON answers (begun_at);
