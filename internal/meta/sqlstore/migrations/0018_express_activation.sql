-- Whether rows of one person that differ in the supplemental identity are separate members.
ALTER TABLE audiences ADD COLUMN express_activation BOOLEAN NOT NULL DEFAULT FALSE;
