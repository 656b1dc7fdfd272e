-- Flows of audiences, whose ids the program fills in, and sandboxes that are being reset or deleted.
ALTER TABLE audiences ADD COLUMN flow_id TEXT NOT NULL DEFAULT '';
CREATE INDEX audiences_flow ON audiences (org, sandbox, flow_id) WHERE NOT deleted;
ALTER TABLE sandboxes ADD COLUMN state TEXT NOT NULL DEFAULT 'active';
