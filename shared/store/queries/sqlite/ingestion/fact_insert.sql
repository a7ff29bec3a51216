INSERT INTO fact (tenant_id, batch_id, ordinal, account_uid, kind, occurred_at, known_at, historical, record, sequence)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10);
