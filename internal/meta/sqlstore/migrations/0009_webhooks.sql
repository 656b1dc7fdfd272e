-- Endpoints of tenants that are told of events, and what was sent or is to be sent to them. The secrets are sealed by the
-- program. next_at is when a delivery is tried next, of those that are pending.
CREATE TABLE webhooks (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  url TEXT NOT NULL,
  description TEXT NOT NULL,
  events TEXT NOT NULL,
  sealed TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  note TEXT NOT NULL,
  failing_since BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX webhooks_list ON webhooks (org, sandbox, created_at, id);

CREATE TABLE deliveries (
  webhook_id TEXT NOT NULL REFERENCES webhooks (id),
  event_id TEXT NOT NULL,
  type TEXT NOT NULL,
  at BIGINT NOT NULL,
  labels TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts TEXT NOT NULL,
  next_at BIGINT NOT NULL,
  PRIMARY KEY (webhook_id, event_id)
);
CREATE INDEX deliveries_list ON deliveries (webhook_id, at DESC, event_id DESC);
CREATE INDEX deliveries_due ON deliveries (webhook_id, next_at, event_id) WHERE state = 'pending';
CREATE INDEX deliveries_age ON deliveries (at);
