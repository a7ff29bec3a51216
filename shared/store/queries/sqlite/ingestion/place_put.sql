INSERT INTO place (tenant_id, key, day, external_id, is_left, first_at, last_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
ON CONFLICT (tenant_id, key, day, external_id, is_left) DO UPDATE
SET first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);
