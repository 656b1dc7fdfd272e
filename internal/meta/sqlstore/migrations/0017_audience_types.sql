-- Lists of audiences by their type are counted by indexes, as those by other properties are. Audiences of accounts are few.
DROP INDEX audiences_list;
CREATE INDEX audiences_list ON audiences
  (org, sandbox, created_at DESC, id DESC, name_key, namespace, origin_name, lifecycle_state, created_by, label_set, audience_type, deleted) WHERE NOT deleted;
CREATE INDEX audiences_accounts ON audiences (org, sandbox, label_set, audience_type, deleted) WHERE audience_type <> 'people' AND NOT deleted;
