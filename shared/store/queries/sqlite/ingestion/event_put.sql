INSERT INTO account_event (tenant_id, week, account_uid, occurred_at, batch_id, ordinal, known_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (tenant_id, week, account_uid, occurred_at, batch_id, ordinal) DO NOTHING;
